import { encodeHex } from "@std/encoding/hex";
import { caseOf, type ConflictRecord } from "../evidence/record.ts";
import { logOf } from "../evidence/replay.ts";
import { logHash } from "../gossip/follows_item.ts";
import type { ExchangeParty } from "../gossip/exchange.ts";
import { MAX_FAILED_COSIGNATURES } from "../gossip/kind.ts";
import type { Tolls } from "../gossip/tolls.ts";
import { isSession } from "../swarm/session.ts";
import type { Admit } from "../swarm/settings.ts";
import type { Swarm } from "../swarm/swarm.ts";
import type { SwarmHost } from "../swarm/swarm_host.ts";
import type { Log } from "../tlog/log.ts";
import { openNote } from "../tlog/checkpoint.ts";
import { memberKey } from "../world/connection_table.ts";
import type { Conversations, FirstRead, Handler, Visitor } from "../world/conversations.ts";
import { isLoopback, sameHost } from "../world/hosts.ts";
import type { CaseKeeper } from "./case_keeper.ts";
import { timeNow } from "../world/time.ts";
import type { Address, Files } from "../world/world.ts";
import type { Happenings } from "./happenings.ts";
import { callTrouble } from "./member_teller.ts";

/** What a handshake costs a caller, in frames: some key agreements, and two signatures. */
const HANDSHAKE_COST = 16;

/** How many cases are told to a member that has just been connected. */
const RECENT_CASES = 16;

/** What the swarm needs of this monitor: see SwarmHost. */
export function hostOfSwarm({ own, keeper, happenings, conversations, ...orders }: {
  /** Our own vkey. */
  own: string;
  keeper: CaseKeeper;
  happenings: Happenings;
  /** Holds the exchanges that come through sessions. */
  conversations: Conversations;
} & Pick<SwarmHost, "reload" | "incident" | "channels">): SwarmHost {
  const { judge, party } = keeper;
  return {
    ...orders,
    logs: () => judge.logs.map(hexLogHash),
    serve: (connection, source) =>
      conversations.hold({
        ...{ connection, source, key: memberKey(source), closedBecause: undefined },
        heardAt: conversations.now,
      }),
    async hearNote(note, source) {
      const trials = { left: MAX_FAILED_COSIGNATURES };
      const opened = openNote({ note, logs: judge.logs, trials });
      if ("refused" in opened) {
        if (opened.refused === "unknown log") return { outcome: "not followed" };
        return { outcome: "wrong", detail: opened.detail };
      }
      const { checkpoints } = opened;
      const heard = checkpoints.map((checkpoint) => judge.hearCheckpoint(checkpoint, source));
      // What is not durable is told to nobody as heard. It is said again, in other words.
      if (!await keep(party, happenings, source)) return { outcome: "not kept" };
      for (const one of heard) party.report.heard(one, source);
      return { outcome: "heard", logHash: hexLogHash(checkpoints[0]!.log) };
    },
    hearUnverified({ logHash, note, member }) {
      const log = judge.logs.find((one) => hexLogHash(one) === logHash);
      if (log !== undefined) happenings.tell({ kind: "unverified elsewhere", log, note, member });
    },
    async hearRecord(record, source) {
      const log = logOf(record, judge.logs);
      if (log === undefined) return "not followed";
      const isKnown = keeper.cases(log).some(({ evidence_id }) =>
        evidence_id === record.evidence_id
      );
      if (isKnown) return "known";
      judge.hearRecord({ record, log, source });
      await keep(party, happenings, source);
      return "recorded";
    },
    recentCases: () => keeper.newest(RECENT_CASES),
    async memberCase(conflict) {
      try {
        await keeper.keep({ more: [conflict] });
        const seq = keeper.incidents?.find(caseOf(conflict));
        return seq === undefined ? undefined : await keeper.incidents!.read(seq);
      } catch (error) {
        happenings.failed(error);
        return undefined;
      }
    },
    tell(news) {
      happenings.tell({ kind: "member", news });
      const trouble = callTrouble(news, own);
      if (trouble === undefined) return;
      const at = timeNow(party.world.clock);
      happenings.tell({ kind: "calling", source: trouble.source, at });
      happenings.tell({ kind: "call failed", ...trouble });
    },
    failed: (error) => happenings.failed(error),
  };
}

/**
 * The same files, except that nothing is created in a folder that is no longer where it was: nobody
 * would find it there.
 * @param expectInPlace rejects if the state folder was moved
 */
export function inPlace(files: Files, expectInPlace: () => Promise<void>): Files {
  return {
    ...files,
    async makeFolder(path) {
      await expectInPlace();
      await files.makeFolder(path);
    },
    async create(path, permissions) {
      await expectInPlace();
      return await files.create(path, permissions);
    },
  };
}

/** The hash that names a log to members, in hex. */
export function hexLogHash(log: Log): string {
  return encodeHex(logHash(log));
}

/**
 * Makes durable what a member told. What our own disk refuses is no fault of the member.
 * @returns whether it is durable
 */
async function keep(
  party: ExchangeParty,
  happenings: Happenings,
  source: string,
): Promise<boolean> {
  try {
    await party.keep(source);
    return true;
  } catch (error) {
    happenings.failed(error);
    return false;
  }
}

/**
 * Whether a record follows from what this monitor has seen itself. If not, a member has shown it as a
 * whole, and then both its halves come from that member.
 */
export function isOwnFinding({ source_a, source_b }: ConflictRecord, members: string[]): boolean {
  return source_a !== source_b || !members.includes(source_a);
}

/** Answers sessions at the port of the exchange. */
export class SessionHandler implements Handler {
  readonly #swarm: Swarm;
  readonly #tolls: Tolls;
  readonly #listen: () => Address | undefined;

  /** @param listen the address of the configuration at which it is answered */
  constructor({ swarm, tolls, listen }: {
    swarm: Swarm;
    tolls: Tolls;
    listen: () => Address | undefined;
  }) {
    this.#swarm = swarm;
    this.#tolls = tolls;
    this.#listen = listen;
  }

  begins(firstByte: number): boolean {
    return isSession(firstByte);
  }

  async serve(caller: Visitor, { buffer, count }: FirstRead): Promise<string | undefined> {
    const { connection, key } = caller;
    if (!this.#tolls.pay(key, HANDSHAKE_COST)) {
      return "more handshakes came from its address than may be made";
    }
    return await this.#swarm.answer({
      ...{ connection, begun: buffer.slice(0, count) },
      isLocal: this.#isLocal(connection.remote.hostname),
      onSeated: () => caller.stay(),
      onHeard: () => caller.heard(),
    });
  }

  /** A call from the one address at which we listen comes from this machine too. */
  #isLocal(hostname: string): boolean {
    const own = this.#listen()?.hostname;
    return isLoopback(hostname) || (own !== undefined && sameHost(hostname, own));
  }
}

/** Turns away whoever does not come as a member, if members alone are admitted. */
export class MembersOnly implements Handler {
  readonly #admit: () => Admit;

  constructor(admit: () => Admit) {
    this.#admit = admit;
  }

  begins(firstByte: number): boolean {
    return this.#admit() === "members" && !isSession(firstByte);
  }

  serve(): Promise<string> {
    return Promise.resolve("it is no member, and only members are answered here");
  }
}
