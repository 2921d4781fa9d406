/**
 * How a report has it checked that two checkpoints exclude each other.
 *
 * @module
 */
import type { ConflictRecord } from "../evidence/record.ts";
import type { Block } from "./paper.ts";

/** What a check of a case is made with. */
export interface OfCase {
  /** Its record, and the texts of checkpoints A and B, or the notes that they begin. */
  readonly files: { readonly record: string; readonly texts: readonly [string, string] };
  /** What tells it from the checks of other cases. */
  readonly nth: string;
  readonly word: (text: string) => string;
}

/** For two roots at one size. */
export function sameSizeCheck(record: ConflictRecord, { files, nth, word }: OfCase): Block[] {
  const [textA, textB] = files.texts;
  const { log: { origin }, checkpoint_a: a, checkpoint_b: b } = record;
  const shown = ({ size, root }: { size: string; root: string }): string =>
    `${origin}\n${size}\n${root}`;
  return [
    {
      say: "The first line of a checkpoint is the log's name, the second its size, the third its " +
        `root. It must print this${nth}:`,
    },
    { command: `head -n 3 ${word(textA)}\nhead -n 3 ${word(textB)}` },
    { output: `${shown(a)}\n${shown(b)}` },
    {
      say:
        "Name and size are the same in both, and the roots are not. One tree has one root, so no " +
        "log has both. This counts only together with both signatures. If names or sizes differ, or " +
        "the roots are the same, nothing is proven.",
    },
  ];
}

/**
 * RFC 9162, section 2.1.4.2, as a script that needs Python alone. Names, sizes and roots are those of
 * the texts whose signatures were checked; of the record it takes the proof. The last argument is the
 * name that both texts must have, since one key may sign for several logs. It ends with 0 only if it has
 * shown a contradiction.
 */
export const CONSISTENCY = `import base64, hashlib, json, os, sys
consistency = json.load(open(sys.argv[1]))["consistency"]
texts, origin = [], sys.argv[4]
for name in sys.argv[2:4]:
    texts.append(open(name, "rb").read().split(b"\\n"))
    if texts[-1] == [b""]:
        sys.exit(name + " is empty: the note was not found")
    if texts[-1][0] != os.fsencode(origin):
        sys.exit(name + " is not of the log " + origin)
decode = lambda text: base64.b64decode(text, validate=True)
(m, signed), (n, newer) = sorted((int(text[1]), decode(text[2])) for text in texts)
path = [decode(one) for one in consistency["proof"]]
if m & (m - 1) == 0:
    path.insert(0, decode(consistency["implied_root"]))
if not 0 < m < n or not path or len(signed) != 32:
    sys.exit("NOTHING IS SHOWN: these are no two sizes with a proof between them")
node = lambda left, right: hashlib.sha256(b"\\x01" + left + right).digest()
fn, sn = m - 1, n - 1
while fn & 1:
    fn, sn = fn >> 1, sn >> 1
old = new = path[0]
for one in path[1:]:
    if sn == 0:
        sys.exit("NOTHING IS SHOWN: the proof is too long")
    if fn & 1 or fn == sn:
        old, new = node(one, old), node(one, new)
        while fn & 1 == 0 and fn != 0:
            fn, sn = fn >> 1, sn >> 1
    else:
        new = node(new, one)
    fn, sn = fn >> 1, sn >> 1
if sn != 0 or new != newer:
    sys.exit("NOTHING IS SHOWN: the proof does not lead to the root that was signed for the larger size")
print("both texts are of the log", origin)
print("the proof leads to the root that was signed for size", n)
print("the root of size", m, "that follows from it:", base64.b64encode(old).decode())
print("the root of size", m, "that was signed:", base64.b64encode(signed).decode())
if old == signed:
    sys.exit("no contradiction")
print("CONTRADICTION, if both signatures above were verified")`;

/** The file as which the script is saved. */
export const SCRIPT = "consistency.py";

/** What the script does, and how to have it. */
export function scriptSaved(): Block[] {
  return [
    {
      say:
        "This script follows a proof as RFC 9162 says in section 2.1.4.2, with the roots of the " +
        "checkpoints whose signatures you have checked. Nobody can make up a proof that leads to the " +
        "larger root and to another smaller one than the log's: that would be two texts with one " +
        "SHA-256. The script comes from whoever sent this report: have somebody read it who can, or " +
        "use any other program that verifies consistency proofs of RFC 9162. Save it:",
    },
    { command: `cat > ${SCRIPT} <<'EOF'\n${CONSISTENCY}\nEOF` },
  ];
}

/** For two sizes. */
export function proofCheck(record: ConflictRecord, { files, nth, word }: OfCase): Block[] {
  const { record: file, texts: [textA, textB] } = files;
  const { log: { origin }, checkpoint_a: a, checkpoint_b: b, consistency } = record;
  const [older, newer] = BigInt(a.size) < BigInt(b.size) ? [a, b] : [b, a];
  return [
    { say: `Then it must print this${nth}; the last line is its exit code:` },
    {
      command: `python3 ${SCRIPT} ${[file, textA, textB, origin].map(word).join(" ")}\necho $?`,
    },
    {
      output: [
        `both texts are of the log ${origin}`,
        `the proof leads to the root that was signed for size ${newer.size}`,
        `the root of size ${older.size} that follows from it: ${consistency!.implied_root}`,
        `the root of size ${older.size} that was signed: ${older.root}`,
        "CONTRADICTION, if both signatures above were verified",
        "0",
      ].join("\n"),
    },
    {
      say:
        "So if the larger checkpoint is true, the smaller one is not. The script checks no signature: " +
        "this counts only together with both signatures. If it prints anything else, such as that " +
        "nothing is shown, or an error, nothing is proven yet.",
    },
  ];
}
