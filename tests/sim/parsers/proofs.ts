/**
 * The parsers of proofs: of consistency, of inclusion, and as somebody states them.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import fc from "fast-check";
import { parseExactJson } from "../../../src/evidence/json.ts";
import { MAX_TREE_SIZE } from "../../../src/tlog/encoding.ts";
import { HASH_BYTES } from "../../../src/tlog/hashing.ts";
import { impliedOlderRoot, verifyConsistency, verifyInclusion } from "../../../src/tlog/proof.ts";
import { readProof } from "../../../src/tlog/stated_proof.ts";
import { formatProof } from "../../tlog/stated_proofs.ts";
import { proofOf } from "../../evidence/histories.ts";
import { texts } from "./inputs.ts";
import { BYTE_CHANGES, mutated, type Step, STEPS } from "./mutate.ts";
import { insist, parser, type ParserUnderTest } from "./parser.ts";
import { FORK_AT, LEAVES, type Stage } from "./stage.ts";

/** Parsers of proofs. */
export function proofs(stage: Stage): ParserUnderTest[] {
  const { honest, leaves, tree } = stage;

  interface Case {
    readonly from: number;
    readonly to: number;
    /** What is asked about instead of `from`, if anything. */
    readonly instead: bigint | undefined;
    readonly steps: readonly Step[];
    /** Which part is changed: the proof, the older root, the newer tree. */
    readonly where: number;
  }
  const cases: fc.Arbitrary<Case> = fc.record({
    from: fc.nat(LEAVES),
    to: fc.integer({ min: 1, max: LEAVES }),
    instead: fc.option(fc.bigInt({ min: 0n, max: MAX_TREE_SIZE }), { nil: undefined, freq: 5 }),
    steps: fc.oneof(fc.constant([]), STEPS),
    where: fc.nat(3),
  });
  const changed = (value: Uint8Array, steps: readonly Step[], when: boolean): Uint8Array =>
    when ? mutated({ sample: value, other: honest.root(1n), steps, changes: BYTE_CHANGES }) : value;
  /** The hashes of a proof, changed as one row of bytes. The last hash may come out short. */
  const hashes = (proof: readonly Uint8Array[], steps: readonly Step[], when: boolean) => {
    const row = changed(concat(proof), steps, when);
    return Array.from(
      { length: Math.ceil(row.length / HASH_BYTES) },
      (_, i) => row.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES),
    );
  };

  const stated = [[1, 2], [8, 9], [FORK_AT, 200], [256, LEAVES]].map(([older, newer]) =>
    formatProof(proofOf(honest, { older: older!, newer: newer! }))
  );
  return [
    parser<Case>({
      name: "proof: impliedOlderRoot",
      share: 50,
      inputs: cases,
      run({ from, to, instead, steps, where }) {
        const [first, second] = [BigInt(Math.min(from, to)), BigInt(to)];
        const older = {
          treeSize: instead ?? first,
          rootHash: changed(tree.root(first), steps, where === 1),
        };
        const newer = {
          treeSize: where === 2 ? second + BigInt(steps.length) : second,
          rootHash: changed(tree.root(second), steps, where === 3),
        };
        const sizes = { older: first, newer: second };
        const proof = hashes(tree.consistencyProof(sizes), steps, where === 0);
        const implied = impliedOlderRoot({ older, newer, proof });
        const verdict = verifyConsistency({ older, newer, proof });
        insist(verdict === (!!implied && equals(implied, older.rootHash)), "one verdict");
        if (implied === undefined) return "refused";
        const isTrue = newer.treeSize === second && equals(newer.rootHash, tree.root(second));
        if (isTrue) {
          insist(
            equals(implied, tree.root(older.treeSize)),
            "a proof that leads to the newer root implies no other older root than the tree's",
          );
        }
        return "accepted";
      },
    }),
    parser<Case>({
      name: "proof: verifyInclusion",
      share: 30,
      inputs: cases,
      run({ from, to, instead, steps, where }) {
        const index = BigInt(Math.min(from, to - 1));
        const treeSize = BigInt(to);
        const asked = instead ?? index;
        const verdict = verifyInclusion({
          leafHash: changed(leaves[Number(index)]!, steps, where === 1),
          index: asked,
          tree: { treeSize, rootHash: tree.root(treeSize) },
          proof: hashes(tree.inclusionProof({ index, treeSize }), steps, where === 0),
        });
        if (!verdict) return "refused";
        const there = leaves[Number(asked)];
        insist(
          there !== undefined &&
            equals(changed(leaves[Number(index)]!, steps, where === 1), there),
          "only the leaf that stands there is included",
        );
        return "accepted";
      },
    }),
    parser<string>({
      name: "proof: readProof",
      valid: stated,
      share: 30,
      inputs: texts(stated),
      feed: (text) => text,
      run(text) {
        const proof = readProof(parseExactJson(text), stage.logs);
        const formatted = formatProof(proof);
        const again = readProof(JSON.parse(formatted), stage.logs);
        insist(formatProof(again) === formatted, "a proof formats back to itself");
        const { older, newer } = proof;
        const implied = impliedOlderRoot(proof);
        if (
          implied !== undefined && newer.treeSize <= LEAVES &&
          equals(newer.rootHash, tree.root(newer.treeSize))
        ) insist(equals(implied, tree.root(older.treeSize)), "no other root is implied");
        return "accepted";
      },
    }),
  ];
}
