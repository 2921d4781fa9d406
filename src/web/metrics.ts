/**
 * `/metrics`: what a daemon counts, for Prometheus. Every name begins with `hearsay_`; units are seconds;
 * what is only ever added to since the start ends in `_total`. Labels are of what is configured (logs,
 * peers, members, mirrored journals, witnesses) and of fixed words, so that nobody who calls can make new
 * ones.
 *
 * @module
 */
import { RESULTS } from "../evidence/result.ts";
import { reasonsNotReady } from "../monitor/readiness.ts";
import type { LogStatus, PeerStatus, Status, WitnessOfLog } from "../monitor/status.ts";
import { troublesOf } from "../monitor/troubles.ts";
import type { MirrorStatus } from "../monitor/mirrored_journal.ts";
import type { Refusal } from "../monitor/write_probe.ts";
import type { MemberStatus } from "../swarm/member_status.ts";
import { utf8 } from "../tlog/encoding.ts";
import { VERSION } from "../world/version.ts";
import type { HttpAnswer } from "../world/world.ts";
import { answer } from "./answers.ts";
import {
  CONTENT_TYPES,
  type Family,
  partsOfMetrics,
  preferredFormat,
  type Sample,
} from "./exposition.ts";
import type { Asked, Route, StatusPage } from "./route.ts";
import {
  counter,
  flag,
  gauge,
  type Labels,
  MAX_SAMPLES,
  maybe,
  of,
  one,
  seconds,
  states,
} from "./samples.ts";

/** After a part of the page of so many characters others have a turn. */
const LONG_PART = 64 * 1024;

/** `/metrics`. */
export const METRICS_ROUTES: readonly Route[] = [{ path: "/metrics", answer: answerMetrics }];

async function answerMetrics(
  { query }: Asked,
  { status, tryWriting, pause }: StatusPage,
): Promise<HttpAnswer> {
  const format = preferredFormat(query.header("accept"));
  const refusal = await tryWriting();
  const now = status();
  await pause?.();
  let text = "";
  for (const part of partsOfMetrics(familiesOf(now, refusal), format)) {
    text += part;
    // Of ten thousand logs the whole page would take most of a second.
    if (part.length > LONG_PART) await pause?.();
  }
  const page = answer(200, CONTENT_TYPES[format], utf8(text));
  return { ...page, headers: { ...page.headers, vary: "accept" } };
}

/** The words of a state: each is a sample of its own, of which one is 1. */
const LOOK_RESULTS = [...RESULTS, "not written"] as const;
const KEEPINGS = ["cosigning", "waiting", "lagging", "missing"] as const;
const MEMBER_STATES = ["connected", "calling", "away", "left", "banned", "no address"] as const;

/**
 * All families of a daemon; each is there even if it has no sample now.
 * @param refusal why a folder could not be written just now, if one could not
 */
export function metricsOf(status: Status, refusal: Refusal): Family[] {
  return [...familiesOf(status, refusal)];
}

/** The same, one by one. */
function* familiesOf(status: Status, refusal: Refusal): Generator<Family> {
  let leftOut = 0;
  for (const family of allOf(status, refusal)) {
    const { samples, more = 0 } = family;
    leftOut += Math.max(0, samples.length + more - MAX_SAMPLES);
    yield { ...family, samples: samples.slice(0, MAX_SAMPLES) };
  }
  yield gauge(
    "hearsay_samples_left_out",
    "Samples that are not on this page, because there are too many",
    one(leftOut),
  );
}

function* allOf(status: Status, refusal: Refusal): Generator<Family> {
  yield* ofMonitor(status, refusal);
  yield* ofLogs(status.logs);
  yield* ofWitnesses(status.logs);
  yield* ofPeers(status.peers);
  yield* ofMembers(status.members?.members ?? []);
  yield* ofWitness(status);
  yield* ofFederation(status);
  yield* ofMirrors(status.mirrors ?? []);
  yield* ofStore(status);
  yield* ofAlerts(status);
}

function ofMonitor(status: Status, refusal: Refusal): Family[] {
  return [
    gauge("hearsay_build_info", "The program's version, and the monitor's name; always 1", [
      { labels: { version: VERSION, name: status.name }, value: 1 },
    ]),
    gauge(
      "hearsay_start_time_seconds",
      "When the daemon started, since 1970",
      one(seconds(status.startedAt)),
    ),
    gauge(
      "hearsay_ready",
      "Whether it follows every log and can write, as /readyz says",
      one(flag(reasonsNotReady(status, refusal).length === 0)),
    ),
    gauge(
      "hearsay_writable",
      "Whether its folders take a file, tried at most every 10 seconds",
      one(flag(refusal === undefined)),
    ),
    gauge(
      "hearsay_troubles",
      "What is not done as it is configured; 'hearsay status' names each",
      one(troublesOf(status).length),
    ),
    gauge(
      "hearsay_incidents",
      "Proven cases in the incident journal, about the logs followed and about monitors",
      one(status.incidents),
    ),
    gauge(
      "hearsay_member_incidents",
      "Those of them about monitors that signed two statements under one number",
      one(status.memberCases ?? 0),
    ),
    gauge(
      "hearsay_incident_unwritten",
      "Whether a proven case could not be written yet, because the disk refuses",
      one(flag(status.unwritten)),
    ),
    counter(
      "hearsay_faults",
      "Faults in Hearsay itself; each was told as daemon.fault",
      one(status.faults ?? 0),
    ),
    counter(
      "hearsay_events_lost",
      "Events that could not be printed",
      one(status.eventsLost ?? 0),
    ),
    gauge(
      "hearsay_lost_items",
      "What was in the monitor's folders and is no more, until a person has seen it",
      one(status.lost?.length ?? 0),
    ),
    gauge(
      "hearsay_reload_refused",
      "Whether the configuration was refused at the last reload",
      one(flag(status.reloadRefused !== undefined)),
    ),
    gauge(
      "hearsay_compared",
      "Whether this monitor calls peers, or was called by any since the start",
      one(flag(status.isUncompared !== true && hasOthers(status))),
    ),
  ];
}

/** Whether anybody is there to compare with, or may call. */
function hasOthers({ peers, listen }: Status): boolean {
  return peers.some(({ isSelf }) => isSelf !== true) ||
    (peers.length === 0 && listen !== undefined);
}

function* ofLogs(logs: readonly LogStatus[]): Generator<Family> {
  const all = new Map(logs.map((log) => [log, labelsOf(log)]));
  const labels = (log: LogStatus): Labels => all.get(log)!;
  const each = (value: (log: LogStatus) => number | undefined): Sample[] => of(logs, labels, value);
  yield gauge("hearsay_log_tree_size", "The largest size proven to extend all before", [
    ...each(({ size }) => maybe(size)),
  ]);
  yield gauge("hearsay_log_committed_tree_size", "The largest size that a quorum has cosigned", [
    ...each(({ cosigned }) => maybe(cosigned?.committed?.size)),
  ]);
  yield gauge("hearsay_log_last_look_timestamp_seconds", "When the log was last looked at", [
    ...each(({ lastLookAt }) => seconds(lastLookAt)),
  ]);
  yield gauge(
    "hearsay_log_next_look_timestamp_seconds",
    "When the next look is, unless one is made",
    [
      ...each(({ nextLookAt }) => seconds(nextLookAt)),
    ],
  );
  yield gauge("hearsay_log_growth_timestamp_seconds", "When the log last grew", [
    ...each(({ grewAt }) => seconds(grewAt)),
  ]);
  yield states(
    {
      name: "hearsay_log_result",
      help: "The result of the last look: 1 for the one that it was",
    },
    logs,
    labels,
    { name: "result", words: LOOK_RESULTS, word: (log) => log.lastResult },
  );
  yield gauge(
    "hearsay_log_result_since_timestamp_seconds",
    "Since when looks have had this result",
    [
      ...each(({ resultSince }) => seconds(resultSince)),
    ],
  );
  yield counter(
    "hearsay_log_findings",
    "Looks, and checkpoints that were heard, by what came of them",
    logs.flatMap((log) =>
      LOOK_RESULTS.filter((result) => log.counts[result] !== undefined).map((result) => ({
        labels: { ...labels(log), result },
        value: log.counts[result]!,
      }))
    ),
  );
  yield gauge(
    "hearsay_log_freeze",
    "Whether nothing of the log is accepted, until its incidents are resolved",
    each(({ freeze }) => flag(freeze !== undefined)),
  );
  yield gauge("hearsay_log_incidents", "Proven cases about the log", each((log) => log.incidents));
  yield gauge("hearsay_log_open_questions", "Checkpoints that are not settled yet", [
    ...each((log) => log.openQuestions),
  ]);
  yield gauge(
    "hearsay_log_withheld",
    "Checkpoints that peers were shown and the log shows not to us",
    [
      ...each((log) => log.withheld ?? 0),
    ],
  );
  yield counter("hearsay_log_left_out", "Checkpoints left out because there was no room", [
    ...each((log) => log.leftOut ?? 0),
  ]);
  yield gauge("hearsay_log_shared_peers", "Peers that follow the log too, as they last said", [
    ...each((log) => log.sharedBy),
  ]);
}

/** A log, and one of the witnesses of its policy. */
interface Witnessed {
  readonly log: LogStatus;
  readonly witness: WitnessOfLog;
}

function ofWitnesses(logs: readonly LogStatus[]): Family[] {
  const all = logs.flatMap((log): Witnessed[] =>
    (log.cosigned?.witnesses ?? []).map((witness) => ({ log, witness }))
  );
  const labels = ({ log, witness }: Witnessed): Labels => ({
    ...labelsOf(log),
    witness: witness.name,
    witness_key: keyIdIn(witness.vkey),
  });
  return [
    states(
      {
        name: "hearsay_log_witness_state",
        help: "How a witness of the log's policy keeps up: 1 for the state that it is in",
      },
      all,
      labels,
      { name: "state", words: KEEPINGS, word: ({ witness }) => witness.keeping },
    ),
    gauge("hearsay_log_witness_tree_size", "The largest size that the witness was seen to cosign", [
      ...of(all, labels, ({ witness }) => maybe(witness.size)),
    ]),
    gauge("hearsay_log_witness_cosigned_timestamp_seconds", "When the witness cosigned that", [
      ...of(all, labels, ({ witness }) => seconds(witness.cosignedAt)),
    ]),
  ];
}

function ofPeers(peers: readonly PeerStatus[]): Family[] {
  const labels = ({ address }: PeerStatus): Labels => ({ peer: address });
  const each = (value: (peer: PeerStatus) => number | undefined): Sample[] =>
    of(peers, labels, value);
  return [
    counter("hearsay_peer_exchanges", "Calls of the peer", each((peer) => peer.exchanges)),
    counter(
      "hearsay_peer_failures",
      "Calls of the peer that failed",
      each((peer) => peer.failures),
    ),
    counter("hearsay_peer_matches", "Checkpoints of the peer that match what we were shown", [
      ...each((peer) => peer.matches),
    ]),
    counter(
      "hearsay_peer_conflicts",
      "Times that the peer told what contradicts what we were shown",
      [
        ...each((peer) => peer.conflicts),
      ],
    ),
    gauge("hearsay_peer_failing", "Whether the last call of the peer failed", [
      ...each((peer) => flag(peer.failing !== undefined)),
    ]),
    gauge("hearsay_peer_last_exchange_timestamp_seconds", "When the peer was last called", [
      ...each(({ lastExchangeAt }) => seconds(lastExchangeAt)),
    ]),
    gauge("hearsay_peer_shared_logs", "Logs that the peer follows too, as it last said", [
      ...each((peer) => peer.sharedLogs),
    ]),
  ];
}

function ofMembers(members: readonly MemberStatus[]): Family[] {
  const labels = ({ name, vkey }: MemberStatus): Labels => ({ member: name, key: keyIdIn(vkey) });
  return [
    states(
      {
        name: "hearsay_member_state",
        help: "How we stand with a member: 1 for the state that it is in",
      },
      members,
      labels,
      { name: "state", words: MEMBER_STATES, word: ({ state }) => state },
    ),
    gauge("hearsay_member_round_trip_seconds", "The time that a signal takes there and back", [
      ...of(members, labels, ({ roundTripMs }) => roundTripMs && roundTripMs / 1_000),
    ]),
    gauge("hearsay_member_failures", "Times in a row that the member was not reached", [
      ...of(members, labels, ({ failures }) => failures),
    ]),
    counter(
      "hearsay_member_refusals",
      "What the member sent and was not accepted, by the reason",
      members.flatMap((member) =>
        Object.entries(member.refusals ?? {}).map(([reason, value]) => ({
          labels: { ...labels(member), reason },
          value,
        }))
      ),
    ),
  ];
}

function ofWitness({ witness }: Status): Family[] {
  return [
    gauge("hearsay_witness_logs", "Logs whose checkpoints this monitor's witness cosigns", [
      ...one(witness?.logs),
    ]),
    gauge("hearsay_witness_cosigned_logs", "Logs of which it has cosigned a checkpoint", [
      ...one(witness?.cosigned),
    ]),
  ];
}

function ofFederation({ federation }: Status): Family[] {
  return [
    gauge("hearsay_federation_entries", "Entries of the own journal that its signed head covers", [
      ...one(maybe(federation?.size)),
    ]),
    gauge("hearsay_federation_behind", "Whether entries could not be published yet", [
      ...one(federation && flag(federation.isBehind === true)),
    ]),
  ];
}

function ofMirrors(mirrors: readonly MirrorStatus[]): Family[] {
  const labels = ({ name, vkey }: MirrorStatus): Labels => ({ monitor: name, key: keyIdIn(vkey) });
  const each = (value: (mirror: MirrorStatus) => number | undefined): Sample[] =>
    of(mirrors, labels, value);
  return [
    gauge("hearsay_mirror_entries", "Entries of a mirrored journal that lead to a signed head", [
      ...each(({ size }) => maybe(size)),
    ]),
    gauge("hearsay_mirror_signed_entries", "Entries that its monitor signed last", [
      ...each(({ theirs }) => maybe(theirs)),
    ]),
    counter(
      "hearsay_mirror_received_entries",
      "Entries received",
      each((mirror) => mirror.received),
    ),
    gauge(
      "hearsay_mirror_failures",
      "Syncs in a row that failed",
      each((mirror) => mirror.failures),
    ),
    gauge("hearsay_mirror_unhealthy", "Whether so many failed that it is asked less often", [
      ...each((mirror) => flag(mirror.isUnhealthy === true)),
    ]),
    gauge("hearsay_mirror_last_sync_timestamp_seconds", "When it was last synced", [
      ...each(({ lastSyncAt }) => seconds(lastSyncAt)),
    ]),
    gauge("hearsay_mirror_incidents", "Proven cases about the mirrored journal itself", [
      ...each((mirror) => mirror.incidents),
    ]),
  ];
}

function ofStore({ store }: Status): Family[] {
  return [
    gauge("hearsay_store_up", "Whether the store that is shared with other sites can be used", [
      ...one(store && flag(store.state === "connected")),
    ]),
    gauge("hearsay_store_behind_entries", "Entries of the own journal that it does not have yet", [
      ...one(store?.behind),
    ]),
    gauge("hearsay_store_leases_held", "Logs at which it is this site's turn to look", [
      ...one(store?.held),
    ]),
  ];
}

function ofAlerts({ alerts }: Status): Family[] {
  const channels = alerts?.channels ?? [];
  const labels = ({ name }: { name: string }): Labels => ({ channel: name });
  return [
    gauge("hearsay_alert_channel_waiting", "Alerts that wait for a channel", [
      ...of(channels, labels, ({ waiting }) => waiting),
    ]),
    gauge("hearsay_alert_channel_failing", "Whether a channel does not take alerts now", [
      ...of(channels, labels, ({ failingSince }) => flag(failingSince !== undefined)),
    ]),
    gauge("hearsay_alert_channel_disabled", "Whether a channel is not tried any more", [
      ...of(channels, labels, ({ isDisabled }) => flag(isDisabled === true)),
    ]),
    gauge("hearsay_heartbeat_timestamp_seconds", "When the heartbeat's URL was last asked for", [
      ...one(seconds(alerts?.heartbeat?.lastBeatAt)),
    ]),
  ];
}

/** A log's labels. The key's id tells logs of one origin apart. */
function labelsOf({ origin, vkey }: LogStatus): Labels {
  return { origin, key: keyIdIn(vkey) };
}

/** The key id in a vkey: 8 hex digits. */
function keyIdIn(vkey: string): string {
  return vkey.split("+")[1] ?? "";
}
