/**
 * What a parcel says and what is answered: the rules of the second carrier (PROTOCOL section 7),
 * without sockets.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { decodeHex } from "@std/encoding/hex";
import { type JsonObject, parseExactJson } from "../evidence/json.ts";
import {
  type ConflictRecord,
  formatRecord,
  parseRecord,
  RECORD_VERSION,
} from "../evidence/record.ts";
import { logOf } from "../evidence/replay.ts";
import { verifyConflict } from "../evidence/verify.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { textOf, utf8 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { formatProof, readProof, type StatedProof, UnknownLog } from "../tlog/stated_proof.ts";
import { randomShare } from "../world/random.ts";
import type { Random } from "../world/world.ts";
import type { ExchangeParty, HeldCase } from "./exchange.ts";
import { followsItem, readFollows } from "./follows.ts";
import { HashList } from "./hash_list.ts";
import type { ParcelLimits } from "./limits.ts";
import { type ParcelItem, ParcelPacker } from "./parcel.ts";
import type { HeardCheckpoint } from "./judge.ts";

/** Bytes of an evidence id, as SHA-256 gives it. */
const EVIDENCE_ID_BYTES = 32;
/** How much of a refusal is told: a foreign text in it may be as long as an item. */
const MAX_REASON_CHARACTERS = 512;

/** What is wrong with a parcel. */
export interface Fault {
  /** For a person. */
  readonly reason: string;
  /** Whether whoever sent it pays for it, as for a frame under no key. */
  readonly charged: boolean;
}

/** What hearing a parcel comes to. */
export interface Hearing {
  /** What the notes say, in order. */
  readonly heard: HeardCheckpoint[];
  /** The logs followed of which something true was said. */
  readonly named: Set<Log>;
  /** The cases (evidence ids) the other end has shown. */
  readonly shown: Set<string>;
  /** Those it says it has; nothing rests on that but what it is answered. */
  claimed?: HashList;
  /** The logs that both ends follow, if the other end said which it follows. */
  follows?: Set<Log>;
  /** Whether a record it has shown made a case here; it may name a known one by another pair. */
  hasNews: boolean;
  /** Why the rest was not heard. */
  readonly fault?: Fault;
}

/** What a parcel is heard with. */
type Ears = Pick<ExchangeParty, "judge" | "cases">;

/**
 * Judges the items of a parcel, in order, up to the first that is malformed or does not hold. What is
 * about a log not followed is passed over, and so are records of other versions: nobody can be
 * expected to know what is followed and understood here.
 * @param source whom it comes from
 */
export function hearParcel(
  { items, source, party }: { items: readonly ParcelItem[]; source: string; party: Ears },
): Hearing {
  const hearing: Hearing = {
    ...{ heard: [], named: new Set(), shown: new Set(), hasNews: false },
  };
  for (const { kind, body } of items) {
    try {
      hearItem[kind]({ body, source, party, hearing });
    } catch (error) {
      const charged = !(error instanceof Disputed);
      if (charged && !(error instanceof MalformedError)) throw error;
      const why = error.message.slice(0, MAX_REASON_CHARACTERS);
      return { ...hearing, fault: { reason: `a ${kind} was refused: ${why}`, charged } };
    }
  }
  return hearing;
}

/** A record on whose signatures two implementations differ: no fault of whoever passes it on. */
class Disputed extends Error {}

interface Spoken {
  readonly body: Uint8Array;
  readonly source: string;
  readonly party: Ears;
  readonly hearing: Hearing;
}

/** Judges one item; throws MalformedError if it is to be refused, or Disputed. */
const hearItem: Readonly<Record<ParcelItem["kind"], (spoken: Spoken) => void>> = {
  note({ body, source, party: { judge }, hearing }) {
    const opened = openCheckpoint({ note: body, logs: judge.logs });
    if ("refused" in opened) {
      if (opened.refused === "unknown log") return;
      throw new MalformedError(opened.detail);
    }
    for (const checkpoint of opened) {
      hearing.named.add(checkpoint.log);
      hearing.heard.push(judge.hearCheckpoint(checkpoint, source));
    }
  },

  proof({ body, party: { judge }, hearing }) {
    const stated = readFollowed(body, judge.logs);
    if (stated === undefined) return;
    const outcome = judge.hearProof(stated);
    if (outcome.verdict === "failed") {
      throw new MalformedError(
        `it does not lead from size ${stated.older.treeSize} to the root given for size ` +
          `${stated.newer.treeSize}; it convicts nobody`,
      );
    }
    hearing.named.add(stated.log);
  },

  record({ body, source, party: { judge, cases }, hearing }) {
    const members = parseExactJson(textOf(body));
    // A later version's record is no fault of whoever sends it; a later version will judge it.
    if (typeof members.version === "string" && members.version !== RECORD_VERSION) return;
    const record = parseRecord(members);
    const log = logOf(record, judge.logs);
    if (log === undefined) return;
    // A case that is known convicts nobody again, so whether this telling of it holds is no matter.
    if (!cases(log).some(({ evidence_id }) => evidence_id === record.evidence_id)) {
      checkRecord(record, log);
      if (judge.hearRecord({ record, log, source })) hearing.hasNews = true;
    }
    hearing.named.add(log);
    hearing.shown.add(record.evidence_id);
  },

  known({ body, hearing }) {
    if (body.length % EVIDENCE_ID_BYTES !== 0) {
      throw new MalformedError(
        `${body.length} bytes came, expected ${EVIDENCE_ID_BYTES} for each evidence id`,
      );
    }
    if (hearing.claimed !== undefined) {
      throw new MalformedError("a second list of known cases came, expected one");
    }
    hearing.claimed = new HashList(body);
  },

  follows({ body, party: { judge }, hearing }) {
    if (hearing.follows !== undefined) {
      throw new MalformedError("a second list of logs came, expected one");
    }
    hearing.follows = readFollows(body, judge.logs);
  },
};

/** A proof about a log that is followed. */
function readFollowed(body: Uint8Array, logs: readonly Log[]): StatedProof | undefined {
  try {
    return readProof(parseExactJson(textOf(body)), logs);
  } catch (error) {
    if (error instanceof UnknownLog) return undefined;
    throw error;
  }
}

function checkRecord(record: ConflictRecord, log: Log): void {
  const { outcome, checks } = verifyConflict({ input: record as unknown as JsonObject, log });
  if (outcome === "holds") return;
  const why = checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
  if (outcome === "disputed") throw new Disputed(why.join("; "));
  throw new MalformedError(why.join("; "));
}

/**
 * What to answer to a parcel, once its conflicts are kept: for each note the checkpoint known to
 * contradict it, otherwise our latest of that log; and the evidence held about every log named that
 * the other end has not shown. Evidence goes first, since what does not fit is left out.
 * @throws WorldError if the evidence cannot be read
 */
export async function answerParcel(
  hearing: Hearing,
  party: ExchangeParty,
): Promise<readonly ParcelItem[]> {
  const packer = new ParcelPacker(party.limits);
  const contradicting = hearing.heard
    .map((heard) => heard.verdict === "inconsistent" ? heard.other.checkpoint : undefined);
  packNotes(packer, contradicting);
  const { shown, claimed } = hearing;
  const isUnseen = ({ evidence_id }: HeldCase): boolean =>
    !shown.has(evidence_id) && claimed?.has(evidence_id) !== true;
  await packRecords({ party, packer, logs: hearing.named, wanted: isUnseen });
  const others = hearing.heard.filter(({ verdict }) => verdict !== "inconsistent");
  packNotes(packer, others.map(({ checkpoint: { log } }) => party.judge.latest(log)));
  if (hearing.follows !== undefined) packGreeting({ party, packer, shared: hearing.follows });
  return packer.items;
}

/**
 * Packs what a caller that says which logs it follows is answered: those that both follow, and what is
 * signed and not reconciled of them, since the other half may be at the other end. A caller that is
 * never called itself learns of it here alone.
 */
function packGreeting(
  { party, packer, shared }: { party: ExchangeParty; packer: ParcelPacker; shared: Set<Log> },
): void {
  packer.add(followsItem(shared, party.limits));
  const open = [...shared].map((log) => party.open(log));
  const longest = Math.max(0, ...open.map(({ length }) => length));
  // One of each log after the other: what is too much is left out of all alike.
  for (let turn = 0; turn < longest; turn++) packNotes(packer, open.map((of) => of[turn]));
}

/** Packs the notes of checkpoints, each once. */
export function packNotes(
  packer: ParcelPacker,
  checkpoints: readonly (VerifiedCheckpoint | undefined)[],
): void {
  for (const checkpoint of new Set(checkpoints)) {
    if (checkpoint !== undefined) packer.add(noteItem(checkpoint));
  }
}

/**
 * Packs evidence about these logs, one log after the other, so that one that went mad does not crowd
 * out the rest; of each the newest first, and of what is too much some of the older ones by chance:
 * the other end may have the newest, and more cases than it can say.
 * @returns the cases whose records went in
 * @throws WorldError if one cannot be read
 */
export async function packRecords(
  { party, packer, logs, wanted }: {
    party: ExchangeParty;
    packer: ParcelPacker;
    logs: Iterable<Log>;
    wanted: (held: HeldCase) => boolean;
  },
): Promise<HeldCase[]> {
  const most = party.limits.maxRecordsPerParcel;
  const { random } = party.world;
  const byLog = [...logs].map((log) => some(party.cases(log).filter(wanted), most, random));
  const packed: HeldCase[] = [];
  for (let turn = 0; turn < most; turn++) {
    for (const cases of byLog) {
      const held = cases[turn];
      if (held === undefined || packed.length >= most) continue;
      if (packer.add(recordItem(await held.read()))) packed.push(held);
    }
  }
  return packed;
}

/** The last of a list, or, if they are more than this, half as many of them and others by chance. */
function some<T>(list: readonly T[], count: number, random: Random): T[] {
  if (list.length <= count) return newest(list, count);
  const last = newest(list, Math.ceil(count / 2));
  const others = list.slice(0, -last.length);
  const chosen = Array.from(
    { length: count - last.length },
    () => others.splice(Math.floor(randomShare(random) * others.length), 1)[0]!,
  );
  return [...last, ...chosen];
}

/** The last of a list, the very last first. */
function newest<T>(list: readonly T[], count: number): T[] {
  return list.slice(-count).reverse();
}

/** A checkpoint's signed note as an item. */
export function noteItem({ note }: VerifiedCheckpoint): ParcelItem {
  return { kind: "note", body: utf8(note) };
}

/** A consistency proof as an item. */
export function proofItem(proof: StatedProof): ParcelItem {
  return { kind: "proof", body: utf8(formatProof(proof)) };
}

/** The evidence ids of the newest of these cases as an item, as many as fit. */
export function knownItem(cases: readonly Named[], limits: ParcelLimits): ParcelItem {
  const most = Math.floor(limits.maxKnownItemBytes / EVIDENCE_ID_BYTES);
  return { kind: "known", body: concat(newest(cases, most).map(idBytes)) };
}

/** Whatever has the name of a case. */
type Named = Pick<HeldCase, "evidence_id">;

function idBytes({ evidence_id }: Named): Uint8Array {
  return decodeHex(evidence_id);
}

/** A conflict record as an item. */
export function recordItem(record: ConflictRecord): ParcelItem {
  return { kind: "record", body: utf8(formatRecord(record)) };
}
