import { isProven } from "../response/freeze.ts";
import { noteOfSigsumProof, weigh, type Weighed } from "../authority/committed.ts";
import type { Refused } from "../tlog/checkpoint.ts";
import { importEd25519Key } from "../tlog/ed25519.ts";
import { fileText } from "../tlog/encoding.ts";
import { HASH_BYTES, leafHash, sha256 } from "../tlog/hashing.ts";
import { MalformedError, printable, printableJson, quoted } from "../tlog/malformed.ts";
import { within } from "../tlog/members.ts";
import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import { verifyInclusion } from "../tlog/proof.ts";
import {
  isAbout,
  isSubmittedBy,
  parseSigsumProof,
  SIGSUM_PROOF_START,
  sigsumLeafOf,
  type SigsumProof,
} from "../tlog/sigsum_proof.ts";
import { parseTlogProof, TLOG_PROOF_START } from "../tlog/tlog_proof.ts";
import { decodeHex } from "@std/encoding/hex";
import type { World } from "../world/world.ts";
import {
  type Command,
  EXIT,
  type Options,
  readOptions,
  type Tools,
  UsageError,
} from "./command.ts";
import { readInput } from "./inputs.ts";
import {
  NOT_ASKED,
  readWeighing,
  readWhole,
  type Weighing,
  WEIGHING_HELP,
  WEIGHING_OPTIONS,
} from "./policy_file.ts";
import { describeHead, tell, tellWeighed, verdictOn, weighedForMachines } from "./weighed_words.ts";

/** Longest proof read: the longest note, the hashes, and as much extra data. */
const MAX_PROOF_BYTES = 2 * MAX_NOTE_BYTES;
/** Longest entry read whole. Of a longer one, its hash can be given. */
const MAX_ENTRY_BYTES = 64 * 1024 * 1024;

/** `hearsay proof`: whether a proof shows that something was logged, offline. */
export const proof: Command = {
  name: "proof",
  summary: "check a tlog-proof or a Sigsum proof against a policy, offline",
  help: `hearsay proof verify FILE --policy FILE --entry FILE [--raw-hash]
                     [--submitter HEX] [--log LOG] [--max-age TIME] [--json]
hearsay proof verify FILE --policy FILE --leaf-hash HEX [--log LOG] [--max-age TIME] [--json]

Checks a proof of C2SP tlog-proof, or of Sigsum (versions 1 and 2): the entry stands in the tree, a
log of the policy has signed the checkpoint, and a quorum of the policy's witnesses has cosigned it.
FILE may be - for standard input. No network is used. The extra data of a tlog-proof is signed by
nobody and is not looked at.

Ends with 0 if all of that holds; with 3 if not; with 1 if the monitor on this machine has frozen the
log for a case that is proven; with 2 if FILE is no such proof, or the policy
breaks a rule.

${WEIGHING_HELP}
  --entry FILE      what was logged: for a tlog-proof the entry itself, for Sigsum the file of which
                    the SHA-256 was submitted
  --raw-hash        for Sigsum: the file has that SHA-256 in it, 32 bytes or 64 hex digits
  --submitter HEX   for Sigsum: the public key that must have submitted it. Without it, anybody may
                    have
  --leaf-hash HEX   in place of the entry, the hash of its leaf (RFC 6962 section 2.1)
  --json            prints one JSON object

Example:
  hearsay proof verify age.tlog-proof --policy policy.txt --entry entry
`,
  async run(args, tools) {
    const { world, terminal } = tools;
    const options = readOptions(args, {
      values: [...WEIGHING_OPTIONS, "entry", "leaf-hash", "submitter"],
      flags: ["raw-hash", "json"],
      operands: ["verify", "FILE"],
    });
    const [what, path] = options.operands as [string, string];
    if (what !== "verify") throw new UsageError(`expected verify; came: ${quoted(what)}`);
    const weighing = await readWeighing(world, options);
    const logged = await readLogged(world, options);
    const file = await readWhole({ world, terminal, path, maxBytes: MAX_PROOF_BYTES });
    const judged = within(quoted(path), () => judge(fileText(file), { weighing, logged }));
    const holds = judged.faults.length === 0 && "committed" in judged.weighed &&
      judged.weighed.committed;
    if (options.flag("json")) {
      const told = { file: path, holds, ...forMachines(judged), monitor_asked: weighing.isAsked };
      terminal.out(printableJson(JSON.stringify(told)));
    } else tellJudged({ path, judged, holds, tools, isAsked: weighing.isAsked });
    const holding = "frozen" in judged.weighed
      ? judged.weighed.frozen.flatMap(weighing.holdsOf)
      : [];
    if (holding.some(isProven)) return EXIT.proven;
    return holds ? EXIT.ok : EXIT.failed;
  },
};

/** What the proof must be about, as the command line says it. */
interface Logged {
  readonly leafHash: Uint8Array | undefined;
  readonly entry: Uint8Array | undefined;
  /** Whether the entry is the hash that was submitted. */
  readonly isHash: boolean;
  readonly submitter: Uint8Array | undefined;
}

/** @throws UsageError unless the entry or its leaf's hash is given */
async function readLogged(world: World, options: Options): Promise<Logged> {
  const [path, hash] = [options.value("entry"), options.value("leaf-hash")];
  if ((path === undefined) === (hash === undefined)) {
    throw new UsageError(
      "expected either --entry FILE or --leaf-hash HEX: a proof is about an entry",
    );
  }
  const submitter = options.value("submitter");
  const key = submitter === undefined ? undefined : hexOption("submitter", submitter);
  if (key !== undefined) within("--submitter", () => importEd25519Key(key));
  if (hash !== undefined && (key !== undefined || options.flag("raw-hash"))) {
    throw new UsageError("--submitter and --raw-hash need --entry");
  }
  return {
    leafHash: hash === undefined ? undefined : hexOption("leaf-hash", hash),
    entry: path === undefined
      ? undefined
      : await readInput({ world, path, maxBytes: MAX_ENTRY_BYTES }),
    isHash: options.flag("raw-hash"),
    submitter: key,
  };
}

function hexOption(name: string, value: string): Uint8Array {
  if (/^[0-9a-f]{64}$/i.test(value)) return decodeHex(value);
  throw new UsageError(`--${name} is ${quoted(value)}, expected 64 hex digits`);
}

/** What a proof came to. */
interface Judged {
  readonly kind: "tlog-proof" | "Sigsum proof";
  readonly weighed: Weighed | Refused;
  readonly index: bigint;
  /** What was checked and holds, beside the checkpoint. */
  readonly holding: readonly string[];
  /** What does not hold. */
  readonly faults: readonly string[];
  /** What was not checked. */
  readonly unchecked: readonly string[];
}

function judge(text: string, given: { weighing: Weighing; logged: Logged }): Judged {
  if (text.startsWith(TLOG_PROOF_START)) return judgeTlogProof(text, given);
  if (SIGSUM_PROOF_START.test(text)) return judgeSigsumProof(parseSigsumProof(text), given);
  throw new MalformedError("it is neither a tlog-proof nor a Sigsum proof");
}

function judgeTlogProof(
  text: string,
  { weighing, logged }: { weighing: Weighing; logged: Logged },
): Judged {
  if (logged.isHash || logged.submitter !== undefined) {
    throw new UsageError("--submitter and --raw-hash are for Sigsum proofs");
  }
  const { index, hashes, note } = parseTlogProof(text);
  const weighed = weigh({ note, ...weighing });
  if ("refused" in weighed && weighed.refused === "malformed") {
    throw new MalformedError(weighed.detail);
  }
  const hash = logged.leafHash ?? leafHash(logged.entry!);
  return {
    ...{ kind: "tlog-proof", weighed, index, unchecked: [] },
    ...inclusion({ weighed, index, hashes, leafHash: hash }),
  };
}

function judgeSigsumProof(
  proof: SigsumProof,
  { weighing, logged }: { weighing: Weighing; logged: Logged },
): Judged {
  const { leaf, index, hashes } = proof;
  const note = noteOfSigsumProof({ proof, ...weighing });
  const weighed: Weighed | Refused = note === undefined
    ? { refused: "unknown log", detail: `it is of the log ${proof.origin}, which is not listed` }
    : weigh({ note, ...weighing });
  const message = logged.entry && messageOf(logged.entry, logged.isHash);
  const hash = logged.leafHash ?? leafHash(sigsumLeafOf({ leaf, message: message! }));
  const { holding, faults } = inclusion({ weighed, index, hashes, leafHash: hash });
  if (message !== undefined && !isAbout({ leaf, message })) {
    faults.push("the proof says itself that it is about another entry");
  }
  const unchecked: string[] = [];
  if (logged.submitter === undefined) {
    unchecked.push(
      `who submitted it was not checked: the key with the hash ${leaf.keyHash} (--submitter)`,
    );
  } else if (isSubmittedBy({ leaf, message: message!, publicKey: logged.submitter })) {
    holding.push("submitted by the key that was named");
  } else faults.push("it was not submitted by the key that was named");
  return { kind: "Sigsum proof", weighed, index, holding, faults, unchecked };
}

/**
 * What was submitted to a Sigsum log: the SHA-256 of the file, or what the file spells.
 * @throws UsageError if that is no hash
 */
function messageOf(entry: Uint8Array, isHash: boolean): Uint8Array {
  if (!isHash) return sha256(entry);
  if (entry.length === HASH_BYTES) return entry;
  const text = new TextDecoder().decode(entry).trim();
  if (/^[0-9a-f]{64}$/i.test(text)) return decodeHex(text);
  throw new UsageError("with --raw-hash the file of --entry has 32 bytes, or 64 hex digits");
}

/** Whether the leaf stands in the tree. Without a checkpoint that a log has signed, nothing is said. */
function inclusion({ weighed, index, hashes, leafHash }: {
  weighed: Weighed | Refused;
  index: bigint;
  hashes: readonly Uint8Array[];
  leafHash: Uint8Array;
}): { holding: string[]; faults: string[] } {
  if ("refused" in weighed) return { holding: [], faults: [weighed.detail] };
  const tree = weighed.checkpoints[0]!;
  return verifyInclusion({ leafHash, index, tree, proof: hashes })
    ? { holding: [`the entry stands at index ${index} of ${tree.treeSize}`], faults: [] }
    : { holding: [], faults: [`the entry is not shown to stand at index ${index}`] };
}

function tellJudged({ path, judged, holds, tools, isAsked }: {
  path: string;
  judged: Judged;
  holds: boolean;
  tools: Tools;
  /** Whether a monitor was asked what it has frozen. */
  isAsked: boolean;
}): void {
  const { world, terminal } = tools;
  const { kind, weighed, holding, faults, unchecked } = judged;
  const head = "refused" in weighed ? "" : `, ${describeHead(weighed.checkpoints[0]!)}`;
  terminal.out(terminal.paint("bold", printable(`${path}: ${kind}${head}`)));
  for (const text of holding) tell(terminal, "✓", text);
  for (const text of faults) tell(terminal, "✗", text);
  for (const text of unchecked) tell(terminal, "!", text);
  if (!isAsked) tell(terminal, "!", NOT_ASKED);
  if (!("refused" in weighed)) {
    tellWeighed(weighed, { terminal, clock: world.clock });
    terminal.out(terminal.paint(weighed.committed ? "green" : "red", verdictOn(weighed)));
  }
  terminal.out(
    holds
      ? terminal.paint("green", "The proof holds.")
      : terminal.paint("red", "The proof does NOT hold."),
  );
}

function forMachines({ kind, weighed, index, faults, unchecked }: Judged): Record<string, unknown> {
  return { kind, index: `${index}`, faults, unchecked, checkpoint: weighedForMachines(weighed) };
}
