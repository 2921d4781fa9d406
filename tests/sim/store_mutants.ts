/**
 * Bugs planted in what sites share through a store; see mutants.ts.
 *
 * @module
 */
import type { Mutant } from "./mutants.ts";

/** Whole daemons that share a store. */
const ALONE = "monitor/sharing_alone_test.ts";
const SHARE = "monitor/sharing_test.ts";
/** Of peers, cases, and sites that stop. */
const PEERS = "monitor/sharing_peers_test.ts";
/** So many seeds have some fleets whose sites share a store, */
const FEW = 40;
/** and so many have one in which a store is restored, a clock is set or a site is paused. */
const MANY = 150;
/** See mutants.ts. */
const NONE = 0;

/** A site that knows a case by its record hides that it has missed the checkpoints. */
const WITHOUT_RECORDS = {
  file: "src/monitor/sharing.ts",
  find: "await this.#records.take(store, stop);\n        this.#roundEnded();",
  replace: "this.#roundEnded();",
} as const;

/** Ordered by what they break. */
export const OF_STORES: readonly Mutant[] = [
  {
    name: "a fence does not rise",
    file: "src/store/shared_leases.ts",
    find: "case when fence >= now_ms() and fence < ${MAX_FENCE} then fence + 1",
    replace: "case when fence > 0 then fence",
    breaks: "one holder at a time",
    seeds: FEW,
  },
  {
    name: "what other sites saw is not heard",
    file: "src/monitor/sharing.ts",
    find: 'if (!("damaged" in head)) await this.#hear(head);',
    replace: "void head;",
    breaks: "sites share what they saw",
    seeds: MANY,
  },
  {
    name: "a site does not notice that a database has less of its journal than before",
    file: "src/monitor/sharing.ts",
    find: "if (own !== undefined) this.#published = own.published;",
    replace: "",
    breaks: "sites share what they saw",
    seeds: NONE,
    test: {
      file: ALONE,
      name: "what a database lost is published again, also if nothing new comes",
    },
  },
  {
    name: "an entry counts as published before the store took it",
    file: "src/monitor/sharing.ts",
    find: "      const reached = await store.publish({ after, entries, last });",
    replace:
      "      this.#published = last;\n      const reached = await store.publish({ after, entries, last });",
    and: [
      {
        file: "src/monitor/sharing.ts",
        find: "if (own !== undefined) this.#published = own.published;",
        replace: "",
      },
      {
        file: "src/monitor/sharing.ts",
        find: "this.#published = await store.published();",
        replace:
          "const there = await store.published();\n    this.#published = there.seq > this.#published.seq ? there : this.#published;",
      },
      {
        file: "src/store/shared_heads.ts",
        find: "and published_seq = cast($4 as bigint) and published_hash = $5",
        replace: "and cast($4 as bigint) >= 0 and $5 <> '-'",
      },
    ],
    breaks: "sites share what they saw",
    seeds: MANY,
  },
  {
    name: "the place in the heads is kept over a restored backup",
    file: "src/store/shared_heads.ts",
    find: "return { ...await headsAfter(db, undefined, limit), restarted: true };",
    replace: "return pageOf(rows, cursor, true);",
    and: [WITHOUT_RECORDS],
    breaks: "sites share what they saw",
    seeds: NONE,
    test: { file: ALONE, name: "what came into a database after it was restored is heard" },
  },
  {
    name: "a lease outlives its holder",
    file: "src/store/shared_leases.ts",
    find: '"damaged" in lease ? [] : [{ ...lease, validUntil }]',
    replace: '"damaged" in lease ? [] : [{ ...lease, validUntil: validUntil * 2 }]',
    breaks: "one holder at a time",
    seeds: NONE,
    test: {
      file: "store/shared_store_test.ts",
      name: "leases: a daemon that asks slowly does not believe in one longer than the database",
    },
  },
  {
    name: "the records of other sites are not taken",
    ...WITHOUT_RECORDS,
    breaks: "sites share what they saw",
    seeds: NONE,
    test: {
      file: SHARE,
      name: "a split that only one site can prove is recorded by all, as one case",
    },
  },
  {
    name: "what contradicts an entry is not asked for",
    file: "src/monitor/sharing.ts",
    find: "for (const head of await store.contradicting(entries)) await this.#hear(head);",
    replace: "",
    and: [WITHOUT_RECORDS],
    breaks: "sites share what they saw",
    seeds: NONE,
    test: {
      file: SHARE,
      name:
        "a site that was away learns what was told meanwhile, and a new one what contradicts it",
    },
  },
  {
    name: "another site is believed where the log proves nothing",
    file: "src/monitor/own_looks.ts",
    find: "if (!isReached) this.#doubted.add(log.id);",
    replace: "",
    and: [WITHOUT_RECORDS],
    breaks: "sites share what they saw",
    seeds: NONE,
    test: { file: ALONE, name: "a split between sites that take turns is recorded by both" },
  },
  {
    name: "a follower does not end its pause when it is woken",
    file: "src/monitor/follower.ts",
    find: "    this.#isWoken = true;\n    this.#stop.wake();",
    replace: "    this.#isWoken = true;",
    breaks: "sites share what they saw",
    seeds: NONE,
    test: { file: SHARE, name: "one site asks the log, and all see it grow within a second" },
  },
  {
    name: "a turn is enough, whether or not its site looks",
    file: "src/monitor/shared_turns.ts",
    find: "look.failures > 0 || at < since",
    replace: "at > since + 1e15",
    breaks: "no log is left alone",
    seeds: NONE,
    test: { file: ALONE, name: "who has the turn and looks seldom is not waited for" },
  },
  {
    name: "who is away keeps reading the looks of others",
    file: "src/monitor/sharing.ts",
    find: "const shown = this.#isUp ? this.#turns.shown(log, this.#lastsMs(log)) : undefined;",
    replace: "const shown = this.#turns.shown(log, 1e12);",
    and: [
      { file: "src/monitor/sharing.ts", find: "      this.#turns.forget();\n", replace: "" },
      {
        file: "src/monitor/shared_turns.ts",
        find: "return (this.#others.get(log) ?? []).filter((lease) => this.#isValid(lease));",
        replace: "return [...this.#others.get(log) ?? []];",
      },
    ],
    breaks: "no log is left alone",
    seeds: NONE,
    test: {
      file: SHARE,
      name: "without the store every site goes on alone, says so, and catches up",
    },
  },
  {
    name: "a site that knows more takes what another was shown before",
    file: "src/monitor/sharing.ts",
    find: "shown.treeSize < (judge.latest(log)?.treeSize ?? 0n)",
    replace: "judge.latest(log)?.treeSize === -1n",
    breaks: "the store's faults are its own",
    seeds: NONE,
    test: { file: ALONE, name: "a site that knows more than who has the turn asks the log itself" },
  },
  {
    name: "a row is told as the log's word without being verified",
    file: "src/monitor/sharing.ts",
    find: "checkpoint: isSigned ? checkpoint : undefined",
    replace: "checkpoint: isSigned ? checkpoint : checkpoint",
    breaks: "the store's faults are its own",
    seeds: NONE,
    test: { file: ALONE, name: "what another site cannot have been shown is not told of the log" },
  },
  {
    name: "cases that a database lost are not told again",
    file: "src/monitor/sharing.ts",
    find: "this.#cases.storeHas(own.cases);",
    replace: "void own.cases;",
    breaks: "sites share what they saw",
    seeds: NONE,
    test: {
      file: PEERS,
      name: "cases are published at the start and as they come, and again if they were lost",
    },
  },
  {
    name: "what another site heard before counts for a peer that is gone",
    file: "src/monitor/heard_peers.ts",
    find: "millisecondsBetween(since, at) > 0 ?",
    replace: "at !== since ?",
    breaks: "the store's faults are its own",
    seeds: NONE,
    test: { file: PEERS, name: "what was heard before a site lost a peer says nothing" },
  },
  {
    name: "the status says that a store is there which is away",
    file: "src/monitor/sharing.ts",
    find: 'state: this.#isUp ? "connected" : "away",',
    replace: 'state: "connected",',
    breaks: "the store's faults are its own",
    seeds: NONE,
    test: {
      file: SHARE,
      name: "without the store every site goes on alone, says so, and catches up",
    },
  },
];
