/**
 * Trust policies of C2SP tlog-policy: which logs and witnesses count, and which witnesses together
 * are enough. A checkpoint that a listed log has signed, and that such a quorum has cosigned, is
 * _committed_.
 *
 * A policy that was read is a tree: a name can be a member once, and two witnesses cannot have one
 * key. So each key counts in one place only.
 *
 * @module
 */
import { decodeHex } from "@std/encoding/hex";
import { type Cosigner, loadCosigner } from "../tlog/cosignature.ts";
import { base64, textOf } from "../tlog/encoding.ts";
import { type Log, makeLog } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { sigsumOrigin } from "../tlog/sigsum.ts";
import { makeVkey, parseVkey, SIGNATURE_TYPE, type Vkey } from "../tlog/vkey.ts";

/** Longest policy read: as many entries as may be, all with keys of ML-DSA-44, and comments. */
export const MAX_POLICY_BYTES = 1024 * 1024;
/** Most logs. The draft asks for at least 32 ("Implementation limits"). */
export const MAX_POLICY_LOGS = 256;
/** Most witnesses. The draft asks for at least 32. */
export const MAX_POLICY_WITNESSES = 64;
/** Most groups. The draft asks for at least 32. */
export const MAX_POLICY_GROUPS = 64;

/** Predefined: no cosignature is needed. Nothing else may have this name. */
const NO_QUORUM = "none";

/** A line `log`. */
export interface PolicyLog {
  readonly line: number;
  readonly log: Log;
  /** Its meaning is up to the application. Nothing here asks for it. */
  readonly url: string | undefined;
}

/** A line `witness`. */
export interface PolicyWitness {
  readonly kind: "witness";
  readonly line: number;
  /** What the policy calls it; for people. It need not be the name of its key. */
  readonly name: string;
  readonly cosigner: Cosigner;
  readonly url: string | undefined;
}

/** A line `group`. */
export interface PolicyGroup {
  readonly kind: "group";
  readonly line: number;
  readonly name: string;
  /** How many of the members are enough: from 1 to all. */
  readonly threshold: number;
  readonly members: readonly PolicyMember[];
}

/** What a group and the quorum are made of. */
export type PolicyMember = PolicyWitness | PolicyGroup;

/** Something in a policy that is read, and that its author should look at. */
export interface PolicyRemark {
  readonly kind: "bare key" | "type 0x01";
  readonly line: number;
  readonly text: string;
}

/** A policy that keeps all rules. */
export interface Policy {
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  readonly groups: readonly PolicyGroup[];
  /** What has to cosign. Nothing if the policy says `quorum none`. */
  readonly quorum: PolicyMember | undefined;
  /** What is spelled otherwise than the draft says, and what of it was understood. */
  readonly remarks: readonly PolicyRemark[];
}

/**
 * Reads a policy (C2SP tlog-policy, draft of 13027eee). Two things beyond the draft are read and
 * remarked upon, because real policies have them:
 *
 * - a witness's key of type 0x01. It is taken as the 0x04 key with the same name and bytes. Whoever
 *   holds the one can sign as the other, so nobody else gains anything.
 * - a bare key of 64 hex digits, as Sigsum writes it: Ed25519. A log's origin follows from it. A
 *   witness's key bears the name that the policy gives it.
 *
 * @throws MalformedError naming the line and the rule that it breaks
 */
export function parsePolicy(file: Uint8Array): Policy {
  if (file.length > MAX_POLICY_BYTES) {
    throw new MalformedError(
      `the policy has ${file.length} bytes, expected at most ${MAX_POLICY_BYTES}`,
    );
  }
  const octets = octetsOf(file);
  const lines = octets.split("\n");
  const reader = new PolicyReader();
  lines.forEach((line, i) => {
    inLine(i + 1, () => {
      refuseControls(line);
      // "each line is terminated by ASCII newline": the end of a file that was cut off could still be
      // read, and say something else.
      if (i === lines.length - 1 && line !== "") {
        throw new MalformedError("it has no newline at its end: the file may have been cut off");
      }
      const words = line.split(/[ \t]+/).filter((word) => word !== "");
      const [first] = words;
      if (first !== undefined && !first.startsWith("#")) reader.read(words, i + 1);
    });
  });
  return reader.finish();
}

/**
 * Whether these cosigners are a quorum.
 * @param cosigners the vkeys of the witnesses whose cosignatures hold, as `Cosignature.vkey.text`
 */
export function isCommitted({ quorum }: Policy, cosigners: ReadonlySet<string>): boolean {
  return quorum === undefined || hasWitnessed(quorum, cosigners);
}

/** A group has witnessed a checkpoint if at least `threshold` of its members have. */
function hasWitnessed(member: PolicyMember, cosigners: ReadonlySet<string>): boolean {
  if (member.kind === "witness") return cosigners.has(member.cosigner.vkey.text);
  const count = member.members.filter((one) => hasWitnessed(one, cosigners)).length;
  return count >= member.threshold;
}

/** The witnesses that a member consists of, in order. */
export function witnessesIn(member: PolicyMember | undefined): PolicyWitness[] {
  if (member === undefined) return [];
  return member.kind === "witness" ? [member] : member.members.flatMap(witnessesIn);
}

/** One character for each octet: "all octets with the high bit set are opaque" ("Character set"). */
function octetsOf(file: Uint8Array): string {
  let octets = "";
  for (const octet of file) octets += String.fromCharCode(octet);
  return octets;
}

/** The text of a word, which is in UTF-8 as a rule. Other octets are spelled, since they are no text. */
function textOfWord(word: string): string {
  try {
    return textOf(Uint8Array.from(word, (octet) => octet.charCodeAt(0)));
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return word.replace(/[\x80-\xff]/g, (octet) => `\\x${octet.charCodeAt(0).toString(16)}`);
  }
}

/** @throws MalformedError for what is neither a tab nor printable nor above ASCII */
function refuseControls(line: string): void {
  // deno-lint-ignore no-control-regex -- "The only allowed control characters are tab and newline"
  const control = /[\x00-\x08\x0a-\x1f\x7f]/.exec(line)?.[0];
  if (control === undefined) return;
  const hint = control === "\r" ? ": save the file with LF alone at the end of each line" : "";
  const octet = control.charCodeAt(0).toString(16).padStart(2, "0");
  throw new MalformedError(
    `it has the control character 0x${octet}, expected none but tab and newline${hint}`,
  );
}

/** @throws MalformedError of `read`, with the line's number before it */
function inLine<T>(line: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`line ${line}: ${error.message}`);
  }
}

/** Reads the lines in their order. Names and keys are octets here. */
class PolicyReader {
  readonly #logs: PolicyLog[] = [];
  readonly #remarks: PolicyRemark[] = [];
  readonly #names = new Map<string, PolicyMember>();
  /** In which line a name became a member. */
  readonly #memberIn = new Map<string, number>();
  /** In which line a public key stands, by the kind of line. */
  readonly #keys = { log: new Map<string, number>(), witness: new Map<string, number>() };
  #quorum: { readonly line: number; readonly member: PolicyMember | undefined } | undefined;

  read([what, ...words]: readonly string[], line: number): void {
    switch (what) {
      case "log":
        return this.#readLog(words, line);
      case "witness":
        return this.#readWitness(words, line);
      case "group":
        return this.#readGroup(words, line);
      case "quorum":
        return this.#readQuorum(words, line);
      default:
        throw new MalformedError(
          `it begins with ${shown(what!)}, expected log, witness, group, quorum or a # comment`,
        );
    }
  }

  finish(): Policy {
    if (this.#quorum === undefined) throw new MalformedError("the policy has no line quorum");
    return {
      logs: this.#logs,
      witnesses: [...this.#names.values()].filter((one) => one.kind === "witness"),
      groups: [...this.#names.values()].filter((one) => one.kind === "group"),
      quorum: this.#quorum.member,
      remarks: this.#remarks,
    };
  }

  /** `log <vkey> [<url>]` */
  #readLog(words: readonly string[], line: number): void {
    const [key, url] = expectWords(words, { least: 1, most: 2, form: "log VKEY [URL]" });
    refuseMore(this.#logs.length, { most: MAX_POLICY_LOGS, what: "logs" });
    const vkey = this.#logKey(key!, line);
    this.#refuseDuplicate(vkey, { of: "log", line });
    // "This name MUST correspond to the log's origin line".
    const log = makeLog({ vkey, origin: vkey.name });
    this.#logs.push({ line, log, url: url === undefined ? undefined : textOfWord(url) });
  }

  #logKey(word: string, line: number): Vkey {
    const publicKey = sigsumKey(word);
    if (publicKey === undefined) return parseVkey(textOfWord(word));
    const name = sigsumOrigin(publicKey);
    const vkey = makeVkey({ name, type: SIGNATURE_TYPE.ed25519, publicKey });
    this.#remarks.push(bareKey(vkey, line));
    return vkey;
  }

  /** `witness <name> <vkey> [<url>]` */
  #readWitness(words: readonly string[], line: number): void {
    const form = "witness NAME VKEY [URL]";
    const [name, key, url] = expectWords(words, { least: 2, most: 3, form });
    const count = [...this.#names.values()].filter((one) => one.kind === "witness").length;
    refuseMore(count, { most: MAX_POLICY_WITNESSES, what: "witnesses" });
    this.#refuseTaken(name!);
    const vkey = this.#witnessKey({ word: key!, name: name!, line });
    this.#refuseDuplicate(vkey, { of: "witness", line });
    this.#names.set(name!, {
      ...{ kind: "witness", line, name: textOfWord(name!), cosigner: loadCosigner(vkey) },
      url: url === undefined ? undefined : textOfWord(url),
    });
  }

  #witnessKey({ word, name, line }: { word: string; name: string; line: number }): Vkey {
    const publicKey = sigsumKey(word);
    if (publicKey !== undefined) {
      const type = SIGNATURE_TYPE.cosignature;
      const vkey = makeVkey({ name: textOfWord(name), type, publicKey });
      this.#remarks.push(bareKey(vkey, line));
      return vkey;
    }
    const vkey = parseVkey(textOfWord(word));
    if (vkey.type !== SIGNATURE_TYPE.ed25519) return vkey;
    const taken = makeVkey({ ...vkey, type: SIGNATURE_TYPE.cosignature });
    const text = "the witness has a key of type 0x01, and cosignatures have 0x04 or 0x06: it is " +
      `taken as ${taken.text}, which should stand there`;
    this.#remarks.push({ kind: "type 0x01", line, text });
    return taken;
  }

  /** `group <name> all|any|<k> <name>...` */
  #readGroup(words: readonly string[], line: number): void {
    const form = "group NAME all|any|K MEMBER...";
    const [name, wanted, ...names] = expectWords(words, { least: 3, most: Infinity, form });
    const count = [...this.#names.values()].filter((one) => one.kind === "group").length;
    refuseMore(count, { most: MAX_POLICY_GROUPS, what: "groups" });
    this.#refuseTaken(name!);
    const threshold = readThreshold(wanted!, names.length);
    const members = names.map((member) => this.#takeMember(member, line));
    this.#names.set(name!, {
      ...{ kind: "group", line, name: textOfWord(name!), threshold, members },
    });
  }

  /** "Each defined name can be listed as a group member at most once." */
  #takeMember(name: string, line: number): PolicyMember {
    if (name === NO_QUORUM) throw new MalformedError("none cannot be a member of a group");
    const member = this.#defined(name);
    const before = this.#memberIn.get(name);
    if (before !== undefined) {
      throw new MalformedError(
        `${shown(name)} is a member of a group in line ${before} already, expected once in all`,
      );
    }
    this.#memberIn.set(name, line);
    return member;
  }

  /** `quorum <name>` */
  #readQuorum(words: readonly string[], line: number): void {
    const [name] = expectWords(words, { least: 1, most: 1, form: "quorum NAME" });
    if (this.#quorum !== undefined) {
      throw new MalformedError(`line ${this.#quorum.line} is a line quorum already, expected one`);
    }
    const member = name === NO_QUORUM ? undefined : this.#defined(name!);
    this.#quorum = { line, member };
  }

  #defined(name: string): PolicyMember {
    const member = this.#names.get(name);
    if (member !== undefined) return member;
    throw new MalformedError(
      `${shown(name)} is not defined in a line before, as a witness or a group`,
    );
  }

  /** "Witnesses and groups share a single namespace." */
  #refuseTaken(name: string): void {
    if (name === NO_QUORUM) throw new MalformedError("the name none is taken: it means no quorum");
    const taken = this.#names.get(name);
    if (taken === undefined) return;
    throw new MalformedError(`${shown(name)} is defined in line ${taken.line} already`);
  }

  /** "duplicate if they wrap the same underlying public key, even if they differ by key name" */
  #refuseDuplicate(
    { publicKey }: Vkey,
    { of, line }: { of: "log" | "witness"; line: number },
  ): void {
    const key = base64(publicKey);
    const before = this.#keys[of].get(key);
    if (before !== undefined) {
      throw new MalformedError(`the ${of} in line ${before} has the same public key`);
    }
    this.#keys[of].set(key, line);
  }
}

/** The 32 bytes of a bare key as Sigsum writes it; nothing for any other word. */
function sigsumKey(word: string): Uint8Array | undefined {
  return /^[0-9a-f]{64}$/.test(word) ? decodeHex(word) : undefined;
}

function bareKey(vkey: Vkey, line: number): PolicyRemark {
  const text = `a bare key, as Sigsum writes it, and no vkey: it is taken as ${vkey.text}`;
  return { kind: "bare key", line, text };
}

function expectWords(
  words: readonly string[],
  { least, most, form }: { least: number; most: number; form: string },
): readonly string[] {
  if (words.length >= least && words.length <= most) return words;
  const stray = words[most];
  const hint = stray?.startsWith("#") ? ": a comment stands on a line of its own" : "";
  const came = stray === undefined ? "it ends too early" : `it has ${shown(stray)} at its end`;
  throw new MalformedError(`${came}, expected ${form}${hint}`);
}

function refuseMore(count: number, { most, what }: { most: number; what: string }): void {
  if (count >= most) throw new MalformedError(`more than ${most} ${what}, which is the limit`);
}

/** "it must be written in decimal, and it is required that 1 <= k <= n" */
function readThreshold(word: string, members: number): number {
  if (word === "all") return members;
  if (word === "any") return 1;
  const threshold = /^[1-9][0-9]{0,8}$/.test(word) ? Number(word) : NaN;
  if (threshold >= 1 && threshold <= members) return threshold;
  throw new MalformedError(
    `${shown(word)} of the members are wanted, expected all, any or a number from 1 to ${members}`,
  );
}

function shown(word: string): string {
  return quoted(textOfWord(word));
}
