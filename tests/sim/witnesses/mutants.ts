/**
 * Bugs of witnesses, of policies and of clients, planted on purpose; see `mutants.ts` beside this
 * folder. The simulation of witnesses finds them.
 *
 * @module
 */
import type { Mutant } from "../mutants.ts";

const WITNESS = "src/authority/witness.ts";
const STATE = "src/authority/witness_state.ts";
const SUBTREES = "src/authority/subtree_signer.ts";
const POLICY = "src/authority/policy.ts";
const TOLERANCE = "src/authority/tolerance.ts";
const COMMITTED = "src/authority/committed.ts";
const COSIGNATURE = "src/tlog/cosignature.ts";
const DURABLE = "src/world/durable.ts";

/** So many seeds are enough for most mutants. */
const FEW = 40;
const MANY = 300;
/** For what needs a kill, a look and a power cut, in this order. */
const RARE = 900;
/** For what a test finds, and no run. */
const NONE = 0;

/** The check of the old size, in `Witness.#answer`. */
const OLD_SIZE = "    if (oldSize !== size) return { status: 409, size };\n";
/** The check of the state that makes good for a witness that takes another root. */
const TAKEN_BACK = "    if (isTakenBack) return false;\n";

const MUTANTS: readonly Omit<Mutant, "of">[] = [
  {
    name: "a witness forgets at a restart",
    file: STATE,
    find: "      for (const [origin, kept] of batch) this.#keep(origin, kept);\n",
    replace: "",
    breaks: "a witness remembers",
    seeds: FEW,
  },
  {
    name: "a witness answers before the sync",
    file: STATE,
    find: "      await promise;\n      return true;\n",
    replace: "      promise.catch(() => {});\n      return true;\n",
    breaks: "a witness remembers",
    seeds: FEW,
  },
  {
    name: "what is written is not synced",
    file: DURABLE,
    find: "    await file.write(bytes, at);\n    await file.sync();\n  } catch",
    replace: "    await file.write(bytes, at);\n  } catch",
    breaks: "a witness remembers",
    seeds: FEW,
  },
  {
    name: "a write that failed counts as done",
    file: STATE,
    find: "      for (const { failed } of batch) failed(error);\n      return;\n",
    replace: "      for (const { written } of batch) written();\n      return;\n",
    breaks: "a witness remembers",
    seeds: MANY,
  },
  {
    name: "the state written anew is not synced",
    file: DURABLE,
    find: "    if (isSynced) await file.sync();\n  } finally",
    replace: "    void isSynced;\n  } finally",
    breaks: "a witness remembers",
    seeds: MANY,
  },
  {
    name: "the state is written anew without its last log",
    file: STATE,
    find: "        let left = this.#heads.size;\n",
    replace:
      "        let left = this.#heads.size;\n        if (left > 1) this.#heads.delete([...this.#heads.keys()].pop()!);\n",
    breaks: "a witness remembers",
    seeds: MANY,
  },
  {
    name: "a batch of which a part is left is taken",
    file: STATE,
    find: "      if (line.left > 0) continue;\n",
    replace: "",
    breaks: "a witness remembers",
    // It takes what was never answered, which harms nobody.
    seeds: NONE,
    test: {
      file: "authority/witness_state_test.ts",
      name: "a batch of which a part is left is forgotten whole",
    },
  },
  {
    name: "what a start reads is handed out before it is synced",
    file: STATE,
    find: "      await state.#settle(folder);\n",
    replace: '      if (folder === "") await state.#settle(folder);\n',
    breaks: "a witness remembers",
    seeds: RARE,
  },
  {
    name: "the old size is compared after the checkpoint was kept",
    file: WITNESS,
    find: OLD_SIZE,
    replace: "    if (oldSize !== size) {\n      await this.#cosign(signed, size);\n" +
      "      return { status: 409, size };\n    }\n",
    breaks: "a witness tells one story",
    seeds: FEW,
  },
  {
    name: "the old size is not compared",
    file: WITNESS,
    find: OLD_SIZE,
    replace: "",
    breaks: "a witness answers as specified",
    seeds: FEW,
  },
  {
    name: "the proof is not checked",
    file: WITNESS,
    find: "  if (verifyConsistency({ older, newer, proof })) return undefined;\n",
    replace: "  if (proof.length > 0) return undefined;\n",
    breaks: "a witness tells one story",
    seeds: FEW,
  },
  {
    name: "equal size with another root is taken for success",
    file: WITNESS,
    find: "  if (isConflict) {\n    return `the log",
    replace: "  if (isConflict && proof.length > 0) {\n    return `the log",
    and: [
      {
        file: WITNESS,
        find: "  if (verifyConsistency({ older, newer, proof })) return undefined;\n",
        replace:
          "  if (isConflict || verifyConsistency({ older, newer, proof })) return undefined;\n",
      },
      { file: STATE, find: TAKEN_BACK, replace: "" },
    ],
    breaks: "a witness tells one story",
    seeds: FEW,
  },
  {
    name: "two requests of one log race each other",
    file: WITNESS,
    find: "return await line.turns.next(work);",
    replace: "return await work();",
    and: [
      {
        file: STATE,
        find:
          "    if (this.#claimed.has(origin) || (before?.treeSize ?? 0n) !== oldSize) return false;\n",
        replace: "    if (oldSize < 0n) return false;\n",
      },
      { file: STATE, find: TAKEN_BACK, replace: "" },
    ],
    breaks: "a witness tells one story",
    seeds: FEW,
  },
  {
    name: "a log that was cosigned once stays claimed",
    file: STATE,
    find: "      this.#claimed.delete(origin);\n",
    replace: "",
    breaks: "a witness answers as specified",
    seeds: FEW,
  },
  {
    name: "another root at the recorded size is handed on only if the old size fits",
    file: WITNESS,
    find: "    if (isConflict) await this.#keepConflict(signed);\n",
    replace: "    if (isConflict && oldSize === size) await this.#keepConflict(signed);\n",
    breaks: "a refusal keeps evidence",
    seeds: FEW,
  },
  {
    name: "parts of trees that were never cosigned are cosigned",
    file: SUBTREES,
    find: "    if (readCosignatures({ text, lines, cosigners: this.#ours }).length === 0) {\n",
    replace: "    if (lines.length === 0) {\n",
    breaks: "a witness tells one story",
    seeds: MANY,
  },
  {
    name: "a part of a tree is cosigned without a proof",
    file: SUBTREES,
    find: "    if (!verifySubtree({ range, hash, tree: checkpoint, proof })) {\n",
    replace:
      "    if (proof.length > 63 && !verifySubtree({ range, hash, tree: checkpoint, proof })) {\n",
    breaks: "a witness tells one story",
    seeds: MANY,
  },
  {
    name: "lines are counted, and not witnesses",
    file: COMMITTED,
    find: "    committed: frozen.length === 0 && isCommitted(policy, new Set(counted)),\n",
    replace: '    committed: policy.quorum?.kind === "group" &&\n' +
      "      readCosignatures({ text, lines, cosigners }).length >= policy.quorum.threshold,\n",
    breaks: "only cosignatures count",
    seeds: FEW,
  },
  {
    name: "a group counts as often as it has witnesses",
    file: POLICY,
    find: "  const count = member.members.filter((one) => hasWitnessed(one, cosigners)).length;\n",
    replace:
      "  const count = witnessesIn(member).filter((one) => hasWitnessed(one, cosigners)).length;\n",
    breaks: "only cosignatures count",
    seeds: FEW,
  },
  {
    name: "a quorum is met with one too few",
    file: POLICY,
    find: "  return count >= member.threshold;\n",
    replace: "  return count >= Math.max(1, member.threshold - 1);\n",
    breaks: "one history is committed",
    seeds: FEW,
  },
  {
    name: "a quorum needs one more than it says",
    file: POLICY,
    find: "  return count >= member.threshold;\n",
    replace: "  return count >= Math.min(member.members.length, member.threshold + 1);\n",
    breaks: "a quorum is met if it can be",
    seeds: FEW,
  },
  {
    name: "a cosignature counts by the name and the id of its key",
    file: COSIGNATURE,
    find: "      .filter((cosigner) => cosigner.verifies({ text, signature }))\n",
    replace: "",
    breaks: "only cosignatures count",
    seeds: FEW,
  },
  {
    name: "the two keys of one name count if one of them has cosigned",
    file: COMMITTED,
    find: "  const of = ({ cosigner }: PolicyWitness) => latest.get(cosigner.vkey.text);\n",
    replace: "  const of = ({ cosigner }: PolicyWitness) =>\n" +
      "    [...latest.values()].find(({ vkey }) => vkey.name === cosigner.vkey.name);\n",
    breaks: "only cosignatures count",
    seeds: MANY,
  },
  {
    name: "a cosignature of type 0x04 does not cover the size and the root",
    file: COSIGNATURE,
    find: "  return utf8(`cosignature/v1\\ntime ${time}\\n${text}`);\n",
    replace: '  return utf8(`cosignature/v1\\ntime ${time}\\n${text.split("\\n")[0]}`);\n',
    breaks: "only cosignatures count",
    seeds: FEW,
  },
  {
    name: "a cosignature of type 0x06 does not cover the root",
    file: COSIGNATURE,
    find: "uint64(start), uint64(end), hash]);\n}",
    replace: "uint64(start), uint64(end), hash.subarray(32)]);\n}",
    breaks: "only cosignatures count",
    seeds: MANY,
  },
  {
    name: "a cosignature without a time counts as new",
    file: COMMITTED,
    find: "since === undefined || (time !== 0n && time >= since)",
    replace: "since === undefined || time === 0n || time >= since",
    breaks: "only cosignatures count",
    seeds: MANY,
  },
  {
    name: "the policy check takes the 0x04 and the 0x06 key of one operator as two",
    file: TOLERANCE,
    find: '  if (member.kind === "witness") return member.cosigner.vkey.name;\n',
    replace: '  if (member.kind === "witness") return member.cosigner.vkey.text;\n',
    breaks: "one history is committed",
    seeds: MANY,
  },
  {
    name: "the policy check names one liar too many",
    file: TOLERANCE,
    find: "    liarsToSplit: split.least,\n",
    replace: "    liarsToSplit: split.least + 1,\n",
    breaks: "one history is committed",
    seeds: FEW,
  },
  {
    name: "the policy check names one liar too few",
    file: TOLERANCE,
    find: '    splitting: split.of("lies"),\n',
    replace: '    splitting: split.of("lies").slice(1),\n',
    breaks: "a predicted break is found",
    seeds: FEW,
  },
  {
    name: "the policy check lets one more fail",
    file: TOLERANCE,
    find: "    failuresToStop: stop.least,\n",
    replace: "    failuresToStop: stop.least + 1,\n",
    breaks: "a quorum is met if it can be",
    seeds: FEW,
  },
];

/** All of them. */
export const WITNESS_MUTANTS: readonly Mutant[] = MUTANTS.map((mutant) => ({
  ...mutant,
  of: "witnesses",
}));
