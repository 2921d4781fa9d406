import { type Policy, type PolicyMember, witnessesIn } from "../authority/policy.ts";
import { type NotComputed, ruleOf, type Tolerance, toleranceOf } from "../authority/tolerance.ts";
import { base64 } from "../tlog/encoding.ts";
import { formatLog } from "../tlog/log.ts";
import { printable, printableJson, quoted } from "../tlog/malformed.ts";
import { type Command, EXIT, type ExitCode, readOptions, UsageError } from "./command.ts";
import { readPolicy } from "./policy_file.ts";
import type { Terminal } from "./terminal.ts";
import { tell } from "./weighed_words.ts";

/** `hearsay policy`: what a policy tolerates. */
export const policy: Command = {
  name: "policy",
  summary: "say what a policy of witnesses tolerates, and what is wrong with it",
  help: `hearsay policy check FILE [--json]

Reads a policy of C2SP tlog-policy, or Sigsum's. Says how many witnesses may fail before nothing is
committed, and how many may lie before two inconsistent checkpoints can both be committed. Both are
computed from the groups, by trying to do it with as few witnesses as possible. Witnesses whose keys
bear one name count as one. That some are run by one operator under different names cannot be seen.

Ends with 0 if the policy can be read; with 2 if it breaks a rule (the line is told), or if two
inconsistent checkpoints can both be committed though no witness lies; with 3 if the groups are too
involved to compute it.

  --json  one JSON object

Example:
  hearsay policy check policy.txt
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, { flags: ["json"], operands: ["check", "FILE"] });
    const [what, path] = options.operands as [string, string];
    if (what !== "check") throw new UsageError(`expected check; came: ${quoted(what)}`);
    const read = await readPolicy(world, path);
    const tolerance = read.quorum && toleranceOf(ruleOf(read.quorum));
    const warnings = warningsOn(read);
    const exit = exitOf(tolerance);
    if (options.flag("json")) {
      const told = forMachines({ path, read, tolerance, warnings, exit });
      terminal.out(printableJson(JSON.stringify(told)));
    } else tellPolicy({ path, read, tolerance, warnings, terminal });
    return exit;
  },
};

/** Nothing for `quorum none`. */
type Computed = Tolerance | NotComputed | undefined;

/** A policy that no lie is needed to break says what is hardly meant. */
function exitOf(tolerance: Computed): ExitCode {
  if (tolerance === undefined) return EXIT.usage;
  if ("notComputed" in tolerance) return EXIT.failed;
  return tolerance.liarsToSplit === 0 ? EXIT.usage : EXIT.ok;
}

interface Warning {
  /** Which line of the policy it is about; 0 for none. */
  readonly line: number;
  readonly text: string;
}

/** What the author of a policy should look at. */
function warningsOn({ logs, witnesses, quorum, remarks }: Policy): Warning[] {
  const warnings: Warning[] = [...remarks];
  if (logs.length === 0) {
    warnings.push({ line: 0, text: "no log is listed: it has to be named with --log" });
  }
  const logKeys = new Map(logs.map(({ log, line }) => [base64(log.vkey.publicKey), line]));
  const counting = new Set(witnessesIn(quorum));
  const names = new Map<string, number>();
  for (const witness of witnesses) {
    const { line, name, cosigner: { vkey } } = witness;
    const log = logKeys.get(base64(vkey.publicKey));
    if (log !== undefined) {
      const text =
        `the witness ${name} has the key of the log in line ${log}: it vouches for itself`;
      warnings.push({ line, text });
    }
    if (!counting.has(witness)) {
      warnings.push({ line, text: `the witness ${name} has no part in the quorum` });
    }
    const before = names.get(vkey.name);
    if (before !== undefined) {
      const text =
        `the key bears the name of the one in line ${before}: the two count as one witness`;
      warnings.push({ line, text });
    } else names.set(vkey.name, line);
  }
  return warnings.toSorted((a, b) => a.line - b.line);
}

function tellPolicy({ path, read, tolerance, warnings, terminal }: {
  path: string;
  read: Policy;
  tolerance: Computed;
  warnings: readonly Warning[];
  terminal: Terminal;
}): void {
  const { logs, witnesses, groups, quorum } = read;
  const counts = `logs: ${logs.length}, witnesses: ${witnesses.length}, groups: ${groups.length}`;
  terminal.out(terminal.paint("bold", printable(`${path} can be read: ${counts}`)));
  if (quorum !== undefined) terminal.out(printable(`  quorum: ${describeMember(quorum)}`));
  for (const { mark, text } of toleranceWords(tolerance, witnesses)) tell(terminal, mark, text);
  const bare = read.remarks.filter(({ kind }) => kind === "bare key");
  if (bare.length > 0) {
    const lines = bare.map(({ line }) => line).join(", ");
    tell(terminal, "!", `keys are bare, as Sigsum writes them, and no vkeys: lines ${lines}`);
  }
  for (const { line, text } of warnings.filter((one) => !bare.some((key) => key === one))) {
    tell(terminal, "!", line === 0 ? text : `line ${line}: ${text}`);
  }
}

/** `2 of (A, B, all of (C, D))` */
function describeMember(member: PolicyMember): string {
  if (member.kind === "witness") return member.name;
  const { threshold, members } = member;
  const many = threshold === members.length ? "all" : threshold === 1 ? "any" : `${threshold}`;
  return `${many} of (${members.map(describeMember).join(", ")})`;
}

const SPLIT = "two inconsistent checkpoints can both be committed";

function toleranceWords(
  tolerance: Computed,
  witnesses: Policy["witnesses"],
): { mark: "✓" | "✗" | "!"; text: string }[] {
  if (tolerance === undefined) {
    return [{ mark: "✗", text: `the quorum is none: no witness is needed, and ${SPLIT}` }];
  }
  if ("notComputed" in tolerance) {
    return [{ mark: "✗", text: `what it tolerates was not computed: ${tolerance.notComputed}` }];
  }
  const { failuresToStop, stopping, liarsToSplit, splitting } = tolerance;
  const mayFail = failuresToStop - 1;
  const mayLie = liarsToSplit - 1;
  // Witnesses that count as one fail and lie as one.
  // Witnesses that count as one fail and lie as one.
  const called = (keyNames: readonly string[]): string =>
    listed(keyNames.map((keyName) => {
      const [first, ...others] = witnesses
        .filter(({ cosigner }) => cosigner.vkey.name === keyName).map(({ name }) => name);
      return others.length === 0 ? first! : `${first} (and ${others.join(", ")})`;
    }));
  const fails = `without ${called(stopping)} nothing is committed`;
  const lies = `if ${called(splitting)} ${splitting.length === 1 ? "lies" : "lie"}, ${SPLIT}`;
  return [
    mayFail === 0
      ? { mark: "!", text: `no witness may fail: ${fails}` }
      : { mark: "✓", text: `any ${witnessCount(mayFail)} may fail; ${fails}` },
    liarsToSplit === 0
      ? { mark: "✗", text: `two quorums need not share a witness: ${SPLIT} though none lies` }
      : mayLie === 0
      ? { mark: "!", text: `no witness may lie: ${lies}` }
      : { mark: "✓", text: `any ${witnessCount(mayLie)} may lie; ${lies}` },
    ...(liarsToSplit === 0 ? [] : [{ mark: "✓" as const, text: sharedWords(liarsToSplit) }]),
  ];
}

function sharedWords(shared: number): string {
  const honest = shared === 1
    ? "which has to be honest"
    : `of which one is honest unless all ${shared} lie`;
  return `any two quorums share at least ${witnessCount(shared)}, ${honest}`;
}

function witnessCount(count: number): string {
  return count === 1 ? "1 witness" : `${count} witnesses`;
}

/** `A`, `A and B`, `A, B and C`. */
function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

function forMachines({ path, read, tolerance, warnings, exit }: {
  path: string;
  read: Policy;
  tolerance: Computed;
  warnings: readonly Warning[];
  exit: ExitCode;
}): Record<string, unknown> {
  const { logs, witnesses, groups, quorum } = read;
  return {
    ...{ file: path, exit },
    logs: logs.map(({ line, log, url = null }) => ({ line, log: formatLog(log), url })),
    witnesses: witnesses.map(({ line, name, cosigner, url = null }) => ({
      ...{ line, name, vkey: cosigner.vkey.text, url },
    })),
    groups: groups.map(({ line, name, threshold, members }) => ({
      ...{ line, name, threshold, members: members.map(({ name }) => name) },
    })),
    quorum: quorum?.name ?? null,
    tolerance: toleranceForMachines(tolerance),
    warnings: warnings.map(({ line, text }) => ({ line: line === 0 ? null : line, text })),
  };
}

/** With no quorum, nothing stops a commitment, and nobody has to lie for two. */
function toleranceForMachines(tolerance: Computed): Record<string, unknown> {
  if (tolerance === undefined) return { failures_to_stop: null, liars_to_split: 0 };
  if ("notComputed" in tolerance) return { not_computed: tolerance.notComputed };
  const { parties, failuresToStop, stopping, liarsToSplit, splitting } = tolerance;
  return {
    ...{ witnesses: parties, failures_to_stop: failuresToStop, stopping },
    ...{ liars_to_split: liarsToSplit, splitting },
  };
}
