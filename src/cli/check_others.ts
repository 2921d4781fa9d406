/**
 * The part of `hearsay config check` that asks others: what each log shows, and which logs each peer
 * follows. It asks as a caller that knows nothing, with a keeper in memory that has no key.
 *
 * @module
 */
import { type About, aboutItem, isSameStart } from "../gossip/about_item.ts";
import { ExchangeFailed } from "../gossip/caller.ts";
import { followsItem } from "../gossip/follows_item.ts";
import type { Hearing } from "../gossip/kind.ts";
import { callWithParcel } from "../gossip/parcel_exchange.ts";
import { nameOfPeer } from "../gossip/settings.ts";
import { Sourcespotter } from "../gossip/sourcespotter.ts";
import { CaseKeeper } from "../monitor/case_keeper.ts";
import { troublesOfMembers } from "../monitor/member_troubles.ts";
import type { LogSettings, PeerSettings } from "../monitor/settings.ts";
import { isFolder, openSource } from "../sources/open.ts";
import { SourceUnavailable } from "../sources/source.ts";
import type { SwarmStatus } from "../swarm/member_status.ts";
import { openCheckpoint } from "../tlog/checkpoint.ts";
import { parseCheckpointText } from "../tlog/checkpoint_text.ts";
import { describeLog, type Log } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { parseNote } from "../tlog/note.ts";
import { parseAddress } from "../world/address.ts";
import { inTime } from "../world/in_time.ts";
import { type Address, WorldError } from "../world/world.ts";
import { type Check, type Checked, undone, wrong } from "./checking.ts";
import { memberInWords } from "./member_words.ts";

/** Most that are asked at once. */
const MOST_AT_ONCE = 32;
/** Longest wait for what a source shows, redirects included. */
const SOURCE_MS = 20_000;

/** Asks every source and every peer, and tells of them in the configuration's order. */
export async function checkOthers({ checked, isOffline, tell, progress }: {
  checked: Checked;
  isOffline: boolean;
  tell: (check: Check) => void;
  progress: (text: string) => void;
}): Promise<void> {
  const { world, settings: { logs, peers, limits } } = checked;
  const proven: Check[] = [];
  const keeper = await CaseKeeper.start({
    ...{ world, limits, logs: logs.map(({ log }) => log) },
    report: {
      ...{ heard: () => {}, broken: () => {}, notAnswered: () => {} },
      incident: ({ record: { log: { origin }, kind } }) =>
        proven.push({
          ...{ about: "log", fault: "proven" },
          text:
            `log ${origin} was seen to contradict itself just now (${kind}): 'hearsay run' records it`,
        }),
    },
  });
  const places = logs.flatMap((log) =>
    [log.source].flat().map((place) => () => checkPlace({ checked, keeper, log, place, isOffline }))
  );
  const contact = checked.settings.contact;
  const calls = isOffline ? [] : peers.map((peer) => () => askPeer({ keeper, peer, contact }));
  let done = 0;
  const all = places.length + calls.length;
  const counted = <T>(work: () => Promise<T>) => async (): Promise<T> => {
    const result = await work();
    progress(`asking logs and peers: ${++done} of ${all} done`);
    return result;
  };
  progress(`asking logs and peers: 0 of ${all} done`);
  const [told, answers, own] = await Promise.all([
    inTurns(places.map(counted)),
    inTurns(calls.map(counted)),
    isOffline ? undefined : askOwn({ checked, keeper }),
  ]);
  progress("");
  for (const check of told) tell(check);
  const members = checked.running?.members;
  for (const check of checkAnswers({ answers, own, logs: keeper.judge.logs, members })) tell(check);
  if (isOffline && peers.length > 0) {
    tell({ about: "peer", text: `peers that were not asked: ${peers.length}` });
  }
  for (const check of proven) tell(check);
  await keeper.close();
}

/** Does all of this work, some of it at once. @returns what each came to, in order */
async function inTurns<T>(work: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < work.length) {
      const at = next++;
      results[at] = await work[at]!();
    }
  };
  await Promise.all(Array.from({ length: MOST_AT_ONCE }, worker));
  return results;
}

/** What one place of a log shows now. */
async function checkPlace({ checked, keeper, log: { log }, place, isOffline }: {
  checked: Checked;
  keeper: CaseKeeper;
  log: LogSettings;
  place: string;
  isOffline: boolean;
}): Promise<Check> {
  const about = "log";
  const from = `log ${describeLog(log)} from ${place}`;
  if (isOffline && !isFolder(place)) return { about, text: `${from}: it was not asked` };
  const { world, settings: { contact } } = checked;
  let note: Uint8Array;
  try {
    const source = openSource({ world, log, source: place, contact });
    note = await inTime({ clock: world.clock, ms: SOURCE_MS, work: () => source.latest() });
  } catch (error) {
    const isOutage = error instanceof SourceUnavailable || error instanceof WorldError;
    if (!isOutage) throw error;
    return undone(about, `${from}: ${error.message}`);
  }
  const opened = openCheckpoint({ note, logs: [log] });
  if ("refused" in opened) {
    // A note that is broken says nothing of the configuration.
    if (opened.refused !== "unknown log") return undone(about, `${from}: ${opened.detail}`);
    return wrong(about, `${from}: ${borne(note, log)}`);
  }
  const [checkpoint] = opened;
  await keeper.takeInOwn(checkpoint!, place);
  return { about, text: `${from}: size ${checkpoint!.treeSize}, signed with the log's key` };
}

/** Most signers that are named: a note may have many witnesses. */
const MOST_SIGNERS = 4;

/** What a note of another log, or under another key, bears. */
function borne(note: Uint8Array, { origin, vkey }: Log): string {
  const { text, lines } = parseNote(note);
  const came = parseCheckpointText(text).origin;
  if (came !== origin) {
    return `what it shows bears the origin ${quoted(came)}, expected ${quoted(origin)}`;
  }
  const signers = lines.map(signerOf).filter((signer) => signer !== undefined)
    .slice(0, MOST_SIGNERS);
  const key = quoted(`${vkey.name}+${idText(vkey.keyId)}`);
  return `what it shows is signed by ${signers.join(", ") || "nobody"}, expected ${key}`;
}

/** The name and key id of a signature line; nothing if it has none. */
function signerOf(line: string): string | undefined {
  const [, name, encoded] = /^— (\S+) (\S+)$/.exec(line) ?? [];
  if (name === undefined || encoded === undefined) return undefined;
  try {
    const id = new DataView(Uint8Array.fromBase64(encoded).buffer).getUint32(0);
    return quoted(`${name}+${idText(id)}`);
  } catch {
    return undefined;
  }
}

function idText(id: number): string {
  return id.toString(16).padStart(8, "0");
}

/** What a peer answered to the greeting, or why it did not. Neither if it was not asked. */
interface Answer {
  readonly peer: string;
  readonly hearing?: Pick<Hearing, "follows" | "about">;
  readonly failed?: string;
}

async function askPeer(
  { keeper, peer: settings, contact }: {
    keeper: CaseKeeper;
    peer: PeerSettings;
    contact: string;
  },
): Promise<Answer> {
  const peer = nameOfPeer(settings);
  try {
    if ("vkey" in settings) return { peer };
    if ("address" in settings) return { peer, hearing: await greet(keeper, settings.address) };
    const spotter = new Sourcespotter({ party: keeper.party, url: peer, contact });
    const { checkpoint: { log } } = await spotter.hear();
    return { peer, hearing: { follows: new Set([log]) } };
  } catch (error) {
    if (!(error instanceof ExchangeFailed)) throw error;
    return { peer, failed: error.message };
  }
}

function greet({ party, judge }: CaseKeeper, address: Address): Promise<Hearing> {
  const items = [followsItem(judge.logs), aboutItem(party.about)];
  return callWithParcel({ party, callee: address, items });
}

/** What this monitor's own daemon says about itself, if it runs and answers. */
async function askOwn(
  { checked: { running, settings }, keeper }: { checked: Checked; keeper: CaseKeeper },
): Promise<About | undefined> {
  // A daemon that admits members only would take this for a stranger, and warn.
  if (running?.listen === undefined || settings.admit === "members") return undefined;
  try {
    return (await greet(keeper, parseAddress(running.listen))).about;
  } catch (error) {
    if (!(error instanceof MalformedError || error instanceof ExchangeFailed)) throw error;
    return undefined;
  }
}

function* checkAnswers({ answers, own, logs, members }: {
  answers: readonly Answer[];
  /** How this monitor's daemon stands with its members, if it runs. */
  members: SwarmStatus | undefined;
  own: About | undefined;
  logs: readonly Log[];
}): Generator<Check, void> {
  const about = "peer";
  for (const [i, { peer, hearing, failed }] of answers.entries()) {
    const said = hearing?.about;
    const twin = said &&
      answers.slice(0, i).find(({ hearing }) =>
        hearing?.about !== undefined && isSameStart(hearing.about, said)
      );
    if (hearing === undefined && failed === undefined) yield checkMember(peer, members);
    else if (hearing === undefined) yield undone(about, failed!);
    else if (said && own && isSameStart(said, own)) {
      yield wrong(about, `peer ${peer} is this monitor itself`);
    } else if (twin !== undefined) {
      yield wrong(about, `peer ${peer} is the same monitor as peer ${twin.peer}`);
    } else yield checkShared(peer, hearing, logs.length);
  }
  const lists = answers.map(({ hearing }) => hearing?.follows);
  // Only who has heard from all of them can say that none follows a log.
  if (lists.length === 0 || lists.includes(undefined)) return;
  for (const log of logs) {
    if (lists.some((list) => list!.has(log))) continue;
    yield undone("log", `log ${log.origin} is compared with nobody: no peer follows it`);
  }
}

/** What the running daemon says of a member. Nobody else may speak in this monitor's name meanwhile. */
function checkMember(name: string, status: SwarmStatus | undefined): Check {
  const about = "peer";
  const member = status?.members.find((one) => one.name === name);
  if (status === undefined || member === undefined) {
    const text = `member ${name} is not asked: its daemon does that, and 'hearsay peers' says more`;
    return { about, text };
  }
  const text = `member ${memberInWords(member, status.now)}`;
  const [trouble] = troublesOfMembers(status).filter((one) => one.member === member);
  if (trouble === undefined) return { about, text };
  return undone(about, `${trouble.text}. ${trouble.advice}`);
}

function checkShared(
  peer: string,
  { follows, about: said }: Pick<Hearing, "follows" | "about">,
  logs: number,
): Check {
  const about = "peer";
  const who = `peer ${peer} answers${said === undefined ? "" : ` (${said.software})`}`;
  if (follows === undefined) {
    return { about, text: `${who}, and does not say which logs it follows` };
  }
  if (follows.size === 0) {
    return undone(about, `${who}, and follows none of the logs followed here`);
  }
  return { about, text: `${who}; logs that both follow: ${follows.size} of ${logs}` };
}
