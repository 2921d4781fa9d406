/**
 * Bugs that are planted on purpose, at least one for each property. They show that each check can fail:
 * a check that no bug makes fail is worth nothing. A mutant is a change of the source text. The fleet
 * runs on the changed source in a copy of the tree.
 *
 * @module
 */
import { join } from "@std/path/join";
import type { Property } from "./properties.ts";
import type { Found } from "./hunt.ts";
import { OF_STORES } from "./store_mutants.ts";
import { WITNESS_MUTANTS } from "./witnesses/mutants.ts";
import type { WitnessProperty } from "./witnesses/properties.ts";

/** A change of one place in the source. */
export interface Change {
  /** The file, relative to the project's folder. */
  readonly file: string;
  /** A text that is in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** One planted bug. */
export interface Mutant extends Change {
  /** What the program does with this bug. */
  readonly name: string;
  /** Further places, where one guard alone would make good for the other. */
  readonly and?: readonly Change[];
  /** The property that it breaks. The check of another property may fail first. */
  readonly breaks: Property | WitnessProperty;
  /** Whose simulation finds it: of fleets, unless it says so. */
  readonly of?: "witnesses";
  /** It must be found within so many seeds, beginning with 1; or else by `test`. */
  readonly seeds: number;
  /** The test that finds it: its file in `tests`, and its name or a part of it. */
  readonly test?: { readonly file: string; readonly name: string };
}

/** For what a test of one part finds, and a fleet seldom, because others make good for it. */
const NONE = 0;

/** So many seeds are enough for most mutants. */
const FEW = 40;
const MANY = 300;
/** For what needs a disk that refuses one write and no other, and a daemon that is not started anew. */
const RARE = 900;

/** Whole daemons that are members of each other. */
const MEMBERS = "monitor/members_test.ts";
const ATTACKED = "monitor/members_attacked_test.ts";

/** Only every fourth fleet has alerts. */
const OF_ALERTS: readonly Mutant[] = [
  {
    name: "an alert that a channel did not take is taken from the queue",
    file: "src/response/courier.ts",
    find: "await this.#noteFailure(reason);",
    replace: "await this.#noteFailure(reason); this.#queue.change({ sent: number, to: name });",
    breaks: "alerts arrive",
    seeds: FEW,
  },
  {
    name: "an EMERGENCY goes out without its evidence",
    file: "src/response/occurrences.ts",
    find: '...(record && { evidence: { kind: "conflict", record } }),',
    replace: "",
    and: [{
      file: "src/response/alert.ts",
      find: 'if (isAtLeast(level, "CRITICAL")) {',
      replace: "if (transition < 0) {",
    }],
    breaks: "alerts arrive",
    seeds: FEW,
  },
  {
    name: "a start tells every case of the journal as a new one",
    file: "src/response/queue.ts",
    find: 'else if ("mark" in change) this.#mark = change.mark;',
    replace: 'else if ("mark" in change) this.#mark = undefined;',
    and: [{
      file: "src/response/desk.ts",
      find:
        'const isOpen = known !== undefined && !(known.phase === "quiet" && known.nature === "lasting");',
      replace: 'const isOpen = known !== undefined && known.nature === "lasting";',
    }, {
      file: "src/monitor/alerting.ts",
      find: "if (queue.case(equivocationKey(record.evidence_id)) !== undefined) {",
      replace: "if (queue.damagedLines < 0) {",
    }],
    breaks: "alerts arrive",
    seeds: FEW,
  },
];

/** Mutants of fleets, ordered by what they break; those of members come last. */
const FLEET_MUTANTS: readonly Mutant[] = [
  {
    name: "a proof that leads to no signed root convicts all the same",
    file: "src/tlog/proof.ts",
    find: "return sn === 0n && equals(newerRoot, newer.rootHash) ? olderRoot : undefined;",
    replace: "return sn === 0n ? olderRoot : undefined;",
    breaks: "no false accusation",
    seeds: FEW,
  },
  {
    name: "signatures are not checked",
    file: "src/tlog/ed25519.ts",
    find: "return isUnambiguous(signature) && verify(null, message, key, signature);",
    replace: "return isUnambiguous(signature);",
    breaks: "no false accusation",
    seeds: FEW,
  },
  {
    name: "an old checkpoint that the log shows again is called inconsistent",
    file: "src/monitor/watch.ts",
    find: "if (base64(implied) === older.root) return this.#finding(agree, about);",
    replace:
      'if (base64(implied) === older.root && agree !== "rolled back") return this.#finding(agree, about);',
    breaks: "no false accusation",
    seeds: FEW,
  },
  {
    name: "a record is signed before it is complete",
    file: "src/monitor/make_record.ts",
    find: "signedBytes(record)",
    replace: 'signedBytes({ ...record, detected_at: "" })',
    breaks: "evidence holds",
    seeds: FEW,
  },
  {
    name: "a record holds the proof without its first hash",
    file: "src/evidence/record.ts",
    find: "proof: conflict.consistency.proof.map(base64),",
    replace: "proof: conflict.consistency.proof.slice(1).map(base64),",
    breaks: "evidence holds",
    seeds: FEW,
  },
  {
    name: "the journal does not remember what cases it has",
    file: "src/store/incidents.ts",
    find: "return isKnown ? this.#entries.get(other ?? root) : undefined;",
    replace: "return undefined;",
    breaks: "one entry a case",
    seeds: FEW,
  },
  {
    name: "an entry is not synced",
    file: "src/world/durable.ts",
    find: "    await file.write(bytes, at);\n    await file.sync();\n  } catch",
    replace: "    await file.write(bytes, at);\n  } catch",
    breaks: "nothing acknowledged is lost",
    seeds: FEW,
  },
  {
    name: "what a peer told is not written down",
    file: "src/monitor/recollection.ts",
    find: "await this.#written(seen);",
    replace: "",
    breaks: "nothing acknowledged is lost",
    seeds: FEW,
  },
  {
    name: "what a peer told while a look was under way is not written down",
    file: "src/monitor/recollection.ts",
    find:
      "      if (this.#firstOf(fresh.seen.source, source) === source) fresh.seen = seen;\n      this.#tell(seen);\n",
    replace: "",
    breaks: "nothing acknowledged is lost",
    seeds: FEW,
  },
  {
    name: "a frame is answered before what it said is durable",
    file: "src/gossip/callee.ts",
    find: "await this.#party.keep(source);",
    replace: "void this.#party.keep(source).catch(() => {});",
    breaks: "nothing acknowledged is lost",
    seeds: FEW,
  },
  {
    name: "a view takes whatever was looked at last",
    file: "src/monitor/watch.ts",
    find:
      'if (checkpoint === undefined || (result !== "first" && result !== "extends")) return false;\n    if (this.#view !== undefined && checkpoint.treeSize <= this.#view.treeSize) return false;',
    replace: "if (checkpoint === undefined) return false;",
    breaks: "no view rolls back",
    seeds: FEW,
  },
  {
    name: "a start takes the smallest view ever proven",
    file: "src/store/observation_index.ts",
    find: "OR proven.size > (",
    replace: "OR proven.size < (",
    breaks: "no view rolls back",
    seeds: FEW,
  },
  {
    name: "an append that failed leaves a gap",
    file: "src/store/journal.ts",
    find: "      throw error;\n    }\n    this.#end += line.length;",
    replace:
      "      this.#end += line.length;\n      throw error;\n    }\n    this.#end += line.length;",
    breaks: "chains check",
    seeds: MANY,
  },
  {
    name: "a torn line is not cut off at the start",
    file: "src/store/journal.ts",
    find: "          end = item.torn.at;\n",
    replace: "",
    breaks: "chains check",
    seeds: MANY,
  },
  {
    name: "a case that the disk refuses once is dropped",
    file: "src/monitor/case_keeper.ts",
    find: "        next.told = true;\n",
    replace: "        next.told = true;\n        this.#unwritten.shift();\n",
    breaks: "evidence spreads in time",
    seeds: RARE,
  },
  {
    name: "a case is dropped if its exchange fails before it is kept",
    file: "src/monitor/case_keeper.ts",
    find: "this.detector.takeConflicts(), { isOld: !this",
    replace: "this.detector.takeConflicts().slice(0, 1), { isOld: !this",
    breaks: "evidence spreads in time",
    seeds: MANY,
  },
  {
    name: "the first peers are called and no others",
    file: "src/monitor/rounds.ts",
    find: "for (const peer of this.#next()) {",
    replace: "for (const peer of this.#peers.slice(0, this.#gossip.fanOut)) {",
    breaks: "both know in time",
    seeds: MANY,
  },
  {
    name: "what peers were shown is not compared with the view",
    file: "src/monitor/settler.ts",
    find: "question.treeSize <= reached &&",
    replace: "question.treeSize > reached &&",
    breaks: "both know in time",
    seeds: FEW,
  },
  {
    name: "frames are sent of logs that the peer does not follow",
    file: "src/gossip/round.ts",
    find: "shared?.has(log) ?? true",
    replace: "true",
    breaks: "both know in time",
    seeds: MANY,
  },
  {
    name: "what is not reconciled is told to nobody",
    file: "src/monitor/case_keeper.ts",
    find: "this.#recollection?.shownOpen(log, this.#limits.maxOpenPerLog) ?? []",
    replace: "[]",
    breaks: "both know in time",
    seeds: MANY,
  },
  {
    name: "a look waits until all that strangers told is written",
    file: "src/monitor/follower.ts",
    find: "await keeper.keep({ source: THE_LOG });",
    replace: "await keeper.keep();",
    breaks: "views catch up in time",
    seeds: FEW,
  },
  {
    name: "what strangers told is written as soon as it comes",
    file: "src/monitor/recollection.ts",
    find: "fresh.isInLine = isStrangers;",
    replace: "fresh.isInLine = false;",
    breaks: "views catch up in time",
    seeds: FEW,
  },
  {
    name: "what strangers asked is settled together with what peers asked",
    file: "src/monitor/settler.ts",
    find: 'askers: ["log", "peer"], most',
    replace: 'askers: ["log", "peer", "stranger"], most',
    breaks: "both know in time",
    seeds: FEW,
  },
  {
    name: "what a stranger asked first stays a stranger's question, whoever asks it too",
    file: "src/monitor/questions.ts",
    find: 'if (ASKERS.indexOf(before) <= ASKERS.indexOf(asker)) return "in";',
    replace: 'return "in";',
    breaks: "both know in time",
    seeds: MANY,
  },
  {
    name: "peers are shown all that strangers asked",
    file: "src/monitor/questions.ts",
    find: 'asker !== "stranger" || !this.#isOurs(question)',
    replace: "true",
    breaks: "both know in time",
    seeds: FEW,
  },
  {
    name: "a daemon that is to end writes all that strangers told",
    file: "src/monitor/recollection.ts",
    find: "    this.#isEnding = true;\n    this.#strangers.drop(new Ended());\n",
    replace: "",
    breaks: "exchanges end",
    seeds: FEW,
  },
  {
    name: "strangers may ask any number of questions",
    file: "src/monitor/questions.ts",
    find: "      room.questions.size >= limits.questions ||\n",
    replace: "",
    breaks: "bounded",
    seeds: FEW,
  },
  {
    name: "a log that could not be reached is given up",
    file: "src/world/pacing.ts",
    find: "const wait = Math.min(intervalMs * 2 ** Math.min(failures, 30), most);",
    replace: "const wait = failures > 3 ? 1e10 : intervalMs;",
    breaks: "views catch up in time",
    seeds: MANY,
  },
  {
    name: "peers are called twenty times more seldom",
    file: "src/monitor/pace.ts",
    find: "jittered(this.#intervalMs, this.#random)",
    replace: "jittered(20 * this.#intervalMs, this.#random)",
    breaks: "both know in time",
    seeds: MANY,
  },
  {
    name: "logs are looked at five times more seldom",
    file: "src/monitor/follower.ts",
    find: "const { pollMs: intervalMs } = this.#settings;",
    replace: "const intervalMs = 5 * this.#settings.pollMs;",
    breaks: "views catch up in time",
    seeds: MANY,
  },
  {
    name: "a peer counts as told before it has answered",
    file: "src/gossip/round.ts",
    find: "const answer = await callWithParcel(",
    replace: "peerKnowledge.knowsNow(peer, ids);\n    const answer = await callWithParcel(",
    breaks: "evidence spreads in time",
    seeds: MANY,
  },
  {
    name: "a parcel is answered without evidence",
    file: "src/gossip/answering.ts",
    find: "  await packRecords({ party, packer, logs: hearing.named, wanted: isUnseen });\n",
    replace: "",
    breaks: "evidence spreads in time",
    seeds: MANY,
  },
  {
    name: "a daemon that can write no more goes on",
    file: "src/monitor/daemon.ts",
    find: "if (this.#end !== undefined || !(reason instanceof DurabilityLost)) return;",
    replace: "return;",
    breaks: "evidence spreads in time",
    seeds: MANY,
  },
  {
    name: "a log that asks to wait is asked all the same",
    file: "src/world/http_client.ts",
    find: 'asksToWait ? this.#retryAfterMs(header("retry-after")) : undefined',
    replace: "undefined",
    breaks: "Retry-After is kept",
    seeds: MANY,
  },
  {
    name: "a log that asks to wait is asked by whoever was not told",
    file: "src/world/http_client.ts",
    find: 'return leftMs > 0 ? { kind: "put off", retryAfterMs: leftMs } : undefined;',
    replace: "return undefined;",
    breaks: "Retry-After is kept",
    seeds: MANY,
  },
  {
    name: "of what places show only the largest is judged",
    file: "src/monitor/watch.ts",
    find: "for (const [i, checkpoint] of bySize.entries()) {",
    replace: "for (const [i, checkpoint] of bySize.slice(0, 1).entries()) {",
    breaks: "both know in time",
    seeds: MANY,
  },
  {
    name: "who is called has no limit in time",
    file: "src/world/conversations.ts",
    find: "      place.closedBecause ??= reason;\n      place.connection.close();\n",
    replace: "",
    breaks: "exchanges end",
    seeds: FEW,
  },
  {
    name: "who calls has no limit in time",
    file: "src/gossip/caller.ts",
    find: "const timer = clock.after(limits.exchangeMs, () => {",
    replace: "const timer = clock.after(1e9, () => {",
    breaks: "exchanges end",
    seeds: FEW,
  },
  {
    name: "an address may have any number of connections",
    file: "src/world/connection_table.ts",
    find: "if (fromThere.length >= this.#limits.maxConnectionsPerAddress) {",
    replace: "if (fromThere.length < 0) {",
    breaks: "bounded",
    seeds: MANY,
  },
  {
    name: "the limits of an exchange that has ended stay due",
    file: "src/world/conversations.ts",
    find: "    this.#first.cancel();\n    this.#whole.cancel();\n",
    replace: "    this.#first.cancel();\n",
    breaks: "bounded",
    seeds: MANY,
  },
  {
    name: "trouble is told each time that it comes up",
    file: "src/monitor/lasting_troubles.ts",
    find: 'if (!isSummary && !isWorse && !isChange) return { level: "debug" };',
    replace: "",
    breaks: "trouble is told",
    seeds: FEW,
  },
  {
    name: "the end of trouble is not told",
    file: "src/monitor/lasting_troubles.ts",
    find: "if (trouble === undefined || now - trouble.failedAt < trouble.calmMs) return undefined;",
    replace: "if (trouble === undefined || trouble.times > 0) return undefined;",
    breaks: "trouble is told",
    seeds: FEW,
  },
  {
    name: "a connection that cannot be accepted ends the program",
    file: "src/world/accepting.ts",
    find: "if (!(error instanceof WorldError)) throw error;",
    replace: "throw error;",
    breaks: "no fault of its own",
    seeds: MANY,
  },
  {
    name: "a fault in the callee",
    file: "src/gossip/callee.ts",
    find: "        const said = this.#answer(buffer, answers, whole, { ...exchange, key });",
    replace:
      '        const said = this.#answer(buffer, answers, whole, { ...exchange, key });\n        if (said.answered > 0) throw new TypeError("planted");',
    breaks: "no fault of its own",
    seeds: FEW,
  },
  {
    name: "a fault in the caller",
    file: "src/gossip/caller.ts",
    find: "  const named = new Set<Log>();\n  const heard: Heard[] = [];",
    replace:
      '  const named = new Set<Log>();\n  const heard: Heard[] = [];\n  if (answers.length > 0) throw new TypeError("planted");',
    breaks: "no fault of its own",
    seeds: FEW,
  },
  {
    name: "a fault in the exchange of parcels",
    file: "src/gossip/parcel_exchange.ts",
    find: "  const hearing = hearParcel({ items, source, party });",
    replace:
      '  const hearing = hearParcel({ items, source, party });\n  if (items.length > 0) throw new TypeError("planted");',
    breaks: "no fault of its own",
    seeds: FEW,
  },
  {
    name: "a fault in a look",
    file: "src/monitor/follower.ts",
    find: "        const shown = this.#unlessCutShort(await this.#watch.poll());\n",
    replace:
      '        const shown = this.#unlessCutShort(await this.#watch.poll());\n        if (shown?.result === "extends") throw new TypeError("planted");\n',
    breaks: "no fault of its own",
    seeds: FEW,
  },
  {
    name: "a fault while settling",
    file: "src/monitor/settler.ts",
    find: "    const { result, retryAfterMs } = found;\n",
    replace:
      '    const { result, retryAfterMs } = found;\n    if (result === "consistent") throw new TypeError("planted");\n',
    breaks: "no fault of its own",
    seeds: FEW,
  },
  {
    name: "a journal that the index has read to its end is told as lost",
    file: "src/store/observations.ts",
    find: 'if (seq > journal.last.seq) return "lost";',
    replace: 'if (seq >= journal.last.seq) return "lost";',
    breaks: "no fault of its own",
    seeds: FEW,
  },
  {
    name: "the room never counts down",
    file: "src/swarm/room.ts",
    find: "    this.#seats.delete(seat.member);\n    const record",
    replace: "    const record",
    breaks: "members meet in time",
    seeds: FEW,
  },
  {
    name: "own statements are numbered from 1 in the same list after each start",
    file: "src/swarm/own_statements.ts",
    find: "return { epoch, last: reserved, reserved };",
    replace: "return { epoch, last: 0n * reserved, reserved };",
    breaks: "no honest member is put out",
    seeds: FEW,
  },
  {
    name: "statements under one number are not compared",
    file: "src/swarm/spreading.ts",
    find: "    const conflict = this.#detector.observe(checkpoint, source);",
    replace:
      "    const conflict = this.#detector.observe(checkpoint, source);\n    if (conflict) return;",
    breaks: "two tongues are recorded",
    seeds: MANY,
  },
  {
    name: "a session that fails keeps its seat",
    file: "src/swarm/swarm.ts",
    find:
      "      if (!(error instanceof MalformedError)) this.#failed(error);\n      session.close((error as Error).message);",
    replace: "      throw error;",
    breaks: "members meet in time",
    seeds: NONE,
    test: { file: MEMBERS, name: "one that says what may not come here loses its session" },
  },
  {
    name: "a disk that refuses a statement's number ends the session",
    file: "src/swarm/swarm.ts",
    find:
      "      if (!(error instanceof WorldError)) throw error;\n      this.#failed(error);\n    }\n  }\n\n  /** Why a session is refused",
    replace: "      throw error;\n    }\n  }\n\n  /** Why a session is refused",
    breaks: "members meet in time",
    seeds: NONE,
    test: { file: MEMBERS, name: "a disk that refuses costs what was said meanwhile" },
  },
  {
    name: "evidence of an accusation is passed on before it is verified",
    file: "src/swarm/spreading.ts",
    find:
      "if (await this.#hearAccusation(from, statement, body)) this.#passOn(rumour, from, member);",
    replace:
      "this.#passOn(rumour, from, member);\n      await this.#hearAccusation(from, statement, body);",
    breaks: "no honest member is put out",
    seeds: MANY,
  },
  {
    name: "one accusation expels",
    file: "src/swarm/conduct.ts",
    find: "return Math.max(MIN_ACCUSERS, Math.floor(2 * members / 3) + 1);",
    replace: "return Math.min(1, members);",
    breaks: "no honest member is put out",
    seeds: MANY,
  },
  {
    name: "an accused is dropped without a quorum",
    file: "src/swarm/conduct.ts",
    find: 'if (accusers < needed) return { outcome: "counted", accusers, needed };',
    replace: "void needed;",
    breaks: "no honest member is put out",
    seeds: MANY,
  },
  {
    name: "hops are never counted",
    file: "src/swarm/spreading.ts",
    find: "return from === undefined ? hops : hops - 1;",
    replace: "return hops;",
    breaks: "bounded",
    seeds: NONE,
    test: {
      file: MEMBERS,
      name: "a rumour goes on one hop less, once, and with none left no further",
    },
  },
  {
    name: "duplicates are passed on again",
    file: "src/swarm/spreading.ts",
    find: "    if (!this.#heads.isNew(opened.hash, rumour.hops)) return;\n    await this.#takeIn",
    replace: "    await this.#takeIn",
    breaks: "bounded",
    seeds: NONE,
    test: {
      file: MEMBERS,
      name: "a rumour goes on one hop less, once, and with none left no further",
    },
  },
  {
    name: "a conflict record dies after one hop",
    file: "src/swarm/spreading.ts",
    find: "if (isWanted) this.#spread(record, { finder, rumour: toAll, from });",
    replace: "void [finder, toAll];",
    breaks: "evidence spreads in time",
    seeds: NONE,
    test: {
      file: "sim/research/topologies_test.ts",
      name: "every 3rd of whom follows it, delivers a case to all",
    },
  },
  {
    name: "what was recorded is told to everyone anew",
    file: "src/swarm/spreading.ts",
    find: "if (this.#hearing.has(key) || !this.#cases.isNew(key, MAX_HOPS)) return;",
    replace: "this.#cases.isNew(key, MAX_HOPS);",
    breaks: "bounded",
    seeds: NONE,
    test: { file: MEMBERS, name: "a case goes on to everyone once" },
  },
  {
    name: "a mirror that failed three times never comes back",
    file: "src/monitor/mirrored_journal.ts",
    find: "const pauseMs = nextPollMs({ intervalMs, failures, retryAfterMs, random });",
    replace: "const pauseMs = failures > 0 ? 1e9 : nextPollMs({ intervalMs, failures, random });",
    breaks: "mirrors follow in time",
    seeds: 100,
  },
  {
    name: "records take the turn of who passed them on",
    file: "src/swarm/spreading.ts",
    find: "return isMember ? detector_vkey : `somebody, through ${from.vkey.text}`;",
    replace: "return isMember ? from.vkey.text : from.vkey.text;",
    breaks: "evidence spreads in time",
    seeds: NONE,
    test: {
      file: ATTACKED,
      name: "any number of made-up cases does not keep another's from going on",
    },
  },
  {
    name: "what a full lane has lost counts as sent",
    file: "src/swarm/outbox.ts",
    find: "place.sent.has(news.key, news.hops)) return;\n    const lane",
    replace: "!place.sent.isNew(news.key, news.hops)) return;\n    const lane",
    breaks: "evidence spreads in time",
    seeds: NONE,
    test: {
      file: "swarm/outbox_test.ts",
      name: "a case that another lane has lost still goes in its finder's lane",
    },
  },
  {
    name: "a replayed statement is accepted",
    file: "src/swarm/replay.ts",
    find: 'if (heard !== undefined && isTaken(heard, sequence)) return "replayed";',
    replace: "",
    breaks: "no honest member is put out",
    seeds: NONE,
    test: { file: "swarm/replay_test.ts", name: "other words under a used number are replayed" },
  },
  {
    name: "a ban is forgotten at a restart",
    file: "src/swarm/conduct.ts",
    find: "if (stored !== undefined) conduct.#bans = readBans(stored);",
    replace: "if (stored !== undefined) readBans(stored);",
    breaks: "two tongues are recorded",
    seeds: NONE,
    test: { file: "swarm/conduct_test.ts", name: "a ban survives a restart and a crash" },
  },
  {
    name: "inbound callers take the kept seats",
    file: "src/swarm/room.ts",
    find: 'return inbound.length >= this.#size - keptSeats(this.#size) ? "full" : undefined;',
    replace: 'return inbound.length >= this.#size ? "full" : undefined;',
    breaks: "members meet in time",
    seeds: NONE,
    test: {
      file: "swarm/room_test.ts",
      name: "an eclipse attempt leaves the seats of our own calls",
    },
  },
  {
    name: "a leave counts as a failure",
    file: "src/swarm/swarm.ts",
    find: "      known.hasLeft = true;\n      known.awaySince",
    replace: "      known.awaySince",
    breaks: "trouble is told",
    seeds: NONE,
    test: { file: MEMBERS, name: "a leave is no failure, a member that vanished is told" },
  },
  {
    name: "the callee names itself to strangers",
    file: "src/swarm/session_handshake.ts",
    find: "if (!isAdmitted && !speaksToStrangers) {",
    replace: "if (!isAdmitted && member.text === String(speaksToStrangers)) {",
    breaks: "no fault of its own",
    seeds: NONE,
    test: { file: MEMBERS, name: "a stranger is told nothing at all" },
  },
  {
    name: "a caller takes whoever answers",
    file: "src/swarm/session_handshake.ts",
    find: "if (member.text !== expected.text) {",
    replace: "if (member.text === String(expected)) {",
    breaks: "members meet in time",
    seeds: NONE,
    test: { file: MEMBERS, name: "whoever answers in the place of another is refused" },
  },
  {
    name: "each hello replaces all that is known of where a member is called",
    file: "src/swarm/known_members.ts",
    find: "this.#learned.filter((one) => one.by !== said.by && !isSame(one));",
    replace: "this.#learned.filter((one) => !isSame(one) && !isItsOwn(one));",
    breaks: "members meet in time",
    seeds: NONE,
    test: { file: MEMBERS, name: "lies about addresses keep nobody apart" },
  },
];

/** All mutants. */
export const MUTANTS: readonly Mutant[] = [
  ...FLEET_MUTANTS,
  ...OF_ALERTS,
  ...OF_STORES,
  ...WITNESS_MUTANTS,
];

const PROJECT = new URL("../../", import.meta.url).pathname;
/** The parts of the project that a run needs. */
const NEEDED = ["deno.json", "deno.lock", "src", "tests"];

/** The result of one mutant. If nothing was found, it was missed. */
export interface MutantRun {
  readonly mutant: Mutant;
  readonly found: Found | undefined;
}

/**
 * Plants one mutant after the other and hunts for each, in as many processes as there are processors.
 * @throws Error if a mutant no longer fits the source
 */
export async function* runMutants(
  { mutants = MUTANTS, jobs = navigator.hardwareConcurrency }: {
    mutants?: readonly Mutant[];
    jobs?: number;
  } = {},
): AsyncGenerator<MutantRun, void> {
  const left = [...mutants];
  const running = new Map<number, Promise<{ job: number; run: MutantRun | undefined }>>();
  const trees: string[] = [];
  // Whoever has seen enough leaves hunts that still run, in trees that are about to be removed.
  const end = new AbortController();
  try {
    for (let job = 0; job < Math.max(1, jobs); job++) {
      trees.push(await copyOfProject());
      running.set(job, hunt(job));
    }
    while (running.size > 0) {
      const { job, run } = await Promise.race(running.values());
      if (run === undefined) {
        running.delete(job);
        continue;
      }
      running.set(job, hunt(job));
      yield run;
    }
  } finally {
    end.abort();
    await Promise.allSettled(running.values());
    for (const tree of trees) await Deno.remove(tree, { recursive: true });
  }

  async function hunt(job: number): Promise<{ job: number; run: MutantRun | undefined }> {
    const mutant = left.shift();
    if (mutant === undefined) return { job, run: undefined };
    return { job, run: { mutant, found: await huntIn(trees[job]!, mutant, end.signal) } };
  }
}

/** Plants a mutant in a tree, hunts for it, and takes it out again. */
async function huntIn(
  tree: string,
  mutant: Mutant,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const sound = new Map<string, string>();
  for (const change of [mutant, ...mutant.and ?? []]) {
    const path = join(tree, change.file);
    const source = await Deno.readTextFile(path);
    if (!sound.has(path)) sound.set(path, source);
    await Deno.writeTextFile(path, mutate(source, { ...change, name: mutant.name }));
  }
  try {
    if (mutant.test !== undefined) {
      const isFound = await fails(tree, mutant.test, signal);
      const { name } = mutant.test;
      return isFound ? { seeds: NONE, property: mutant.breaks, detail: name } : undefined;
    }
    const { success, stdout, stderr } = await new Deno.Command("deno", {
      args: [
        ...["run", "--frozen", "--no-prompt", "--no-check", "--allow-read"],
        ...["--config", join(tree, "deno.json"), join(tree, "tests/sim/hunt.ts")],
        ...[String(mutant.seeds), mutant.of ?? "fleets"],
      ],
      ...{ cwd: tree, signal },
    }).output();
    const text = new TextDecoder();
    if (!success) throw new Error(`${mutant.name}: ${text.decode(stderr)}`);
    return JSON.parse(text.decode(stdout)) ?? undefined;
  } finally {
    for (const [path, source] of sound) await Deno.writeTextFile(path, source);
  }
}

/** Whether a test fails in a tree. */
async function fails(
  tree: string,
  { file, name }: NonNullable<Mutant["test"]>,
  signal: AbortSignal,
): Promise<boolean> {
  const { success, stdout } = await new Deno.Command("deno", {
    args: [
      ...["test", "--frozen", "--no-prompt", "--no-check", "--allow-read", "--filter", name],
      ...["--config", join(tree, "deno.json"), join(tree, "tests", file)],
    ],
    ...{ cwd: tree, signal, env: { NO_COLOR: "1" } },
  }).output();
  const told = new TextDecoder().decode(stdout);
  // A contract registers its tests in another file than the one that runs it.
  if (success || told.includes("=> ./tests/")) return !success;
  throw new Error(`tests/${file} does not run: ${told}`);
}

/** The source with a mutant in it. @throws Error if its text is not there exactly once */
export function mutate(
  source: string,
  { name, file, find, replace }: Change & { readonly name: string },
): string {
  const times = source.split(find).length - 1;
  if (times === 1) return source.replace(find, () => replace);
  throw new Error(`mutant "${name}": ${file} has its place ${times} times, expected once`);
}

async function copyOfProject(): Promise<string> {
  const tree = await Deno.makeTempDir();
  for (const name of NEEDED) await copy(join(PROJECT, name), join(tree, name));
  return tree;
}

async function copy(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) await copy(join(from, name), join(to, name));
}
