/** Completions and man pages, against the commands themselves and in the shells that are installed. */
import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../src/cli/program.ts";
import { partsOf } from "../../src/cli/usage.ts";
import { shell, testWith } from "../programs.ts";
import { run } from "./harness.ts";

/** The options that a command line says it knows, after one that it does not know. */
async function accepted(...words: readonly string[]): Promise<string[]> {
  const { code, err } = await run(...words, "--no-such-option");
  assertEquals(code, 2);
  const [, options] = /; (?:did you mean --\S+ )?the options are: (.*)$/.exec(err[0]!) ?? [];
  assert(options !== undefined, err[0]);
  return options === "none" ? [] : options.split(" ").map((option) => option.slice(2));
}

for (const command of COMMANDS) {
  Deno.test(`usage: the help of ${command.name} has the options that it takes, and no other`, async () => {
    const [told, taken] = [new Set<string>(), new Set<string>()];
    for (const { subcommand, options } of partsOf(command)) {
      const words = [command.name, ...subcommand === undefined ? [] : [subcommand]];
      const takes = await accepted(...words);
      const names = options.map(({ name }) => name);
      assertEquals(names.filter((name) => !takes.includes(name)), [], words.join(" "));
      for (const name of names) told.add(name);
      for (const name of takes) taken.add(name);
    }
    assertEquals([...told].toSorted(), [...taken].toSorted());
  });
}

Deno.test("usage: values, flags and subcommands are read as they stand in a help", () => {
  const help = `hearsay x one FILE  [--in DIR] [--plain]
hearsay x two [--at [SECONDS]] --mode fast|slow [--no | --yes]
                     each with [--json]

Prose about --nothing and more.

  one   does one thing; and
        another
  two   does two

  --in DIR  where it is
  --extra FILE
            what is in it

Example:
  hearsay x one a --in b
`;
  const json = { name: "json", says: "" };
  const extra = { name: "extra", value: "FILE", says: "what is in it" };
  assertEquals(partsOf({ name: "x", help }), [
    {
      ...{ subcommand: "one", says: "does one thing; and another" },
      options: [
        { name: "in", value: "DIR", says: "where it is" },
        { name: "plain", says: "" },
        json,
        extra,
      ],
    },
    {
      ...{ subcommand: "two", says: "does two" },
      options: [
        { name: "at", value: "SECONDS", isValueOptional: true, says: "" },
        { name: "mode", value: "fast|slow", says: "" },
        { name: "no", says: "" },
        { name: "yes", says: "" },
        json,
        extra,
      ],
    },
  ]);
});

async function scriptOf(name: string): Promise<string> {
  const { code, out, err } = await run("completions", name);
  assertEquals([code, err], [0, []]);
  return out.join("\n") + "\n";
}

Deno.test("completions: another shell is refused, with those there are", async () => {
  const { code, err } = await run("completions", "tcsh");
  assertEquals([code, err[0]], [
    2,
    'hearsay completions: SHELL is "tcsh", expected bash, zsh or fish',
  ]);
});

for (const name of ["bash", "zsh", "fish"]) {
  await testWith(name, `completions: ${name} -n finds nothing wrong`, async () => {
    const input = await scriptOf(name);
    assertEquals(
      await shell('f=$(mktemp); cat > "$f"; "$1" -n "$f"; c=$?; rm "$f"; exit $c', {
        ...{ args: [name], input },
      }),
      { code: 0, said: "" },
    );
  });
}

const NAMES = [...COMMANDS.map(({ name }) => name), "help"];

/** What is typed up to the cursor, and what it may become. Files are `a b.txt`, `c.txt` and `dir/`. */
const TYPED: readonly [typed: string, offered: readonly string[]][] = [
  ["hearsay ", NAMES],
  ["hearsay inc", ["incidents"]],
  ["hearsay nothing-of-this-kind", []],
  ["hearsay help st", ["status", "store"]],
  ["hearsay incidents ", partsOf(byName("incidents")).map(({ subcommand }) => subcommand!)],
  ["hearsay incidents li", ["list"]],
  ["hearsay incidents list --li", ["--limit"]],
  ["hearsay incidents check --li", []],
  // Other commands have the names of these subcommands.
  ["hearsay incidents check --po", []],
  ["hearsay incidents run --on", []],
  ["hearsay run --o", ["--once"]],
  ["hearsay run --config ", ["a b.txt", "c.txt", "dir"]],
  ["hearsay run --config c", ["c.txt"]],
  ["hearsay verify c", ["c.txt"]],
  ["hearsay verify --log ", []],
  ["hearsay init --admit ", ["anyone", "members"]],
  ["hearsay init --dir ", ["dir"]],
  ["hearsay peers b", ["ban"]],
  ["hearsay peers --ro", ["--routes"]],
  ["hearsay peers ban x --re", ["--reason"]],
  ["hearsay status --al", ["--all"]],
  ["hearsay run --help", ["--help"]],
];

function byName(name: string): typeof COMMANDS[number] {
  return COMMANDS.find((command) => command.name === name)!;
}

/** Runs a script in a folder with a few files. */
async function inShell(
  line: string,
  { script, args }: { script: string; args: readonly string[] },
): Promise<string[]> {
  const folder = Deno.makeTempDirSync({ prefix: "hearsay-test-" });
  try {
    Deno.mkdirSync(`${folder}/here/dir`, { recursive: true });
    for (const file of ["a b.txt", "c.txt"]) Deno.writeTextFileSync(`${folder}/here/${file}`, "");
    Deno.writeTextFileSync(`${folder}/script`, script);
    const { code, said } = await shell(`cd "$1/here" && ${line}`, { args: [folder, ...args] });
    assertEquals(code, 0, said);
    return said.split("\n").filter((one) => one !== "");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Asks bash's own machinery for the function that completes `hearsay`, and calls it as bash does. */
const BASH = `bash --norc -c '
  . ../script
  function=$(complete -p hearsay | sed "s/.*-F \\([^ ]*\\) .*/\\1/")
  COMP_LINE=$1
  read -r -a COMP_WORDS <<< "$1"
  case $1 in *" ") COMP_WORDS+=("") ;; esac
  COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
  "$function" hearsay "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
  for one in "\${COMPREPLY[@]}"; do printf "%s\\n" "$one"; done
' bash "$2"`;

await testWith("bash", "completions: bash offers what may follow", async () => {
  const script = await scriptOf("bash");
  for (const [typed, offered] of TYPED) {
    const told = await inShell(BASH, { script, args: [typed] });
    const expected = typed === "hearsay " ? [...offered, "--help", "--version"] : offered;
    assertEquals([typed, told.toSorted()], [typed, expected.toSorted()]);
  }
});

await testWith("fish", "completions: fish offers what may follow", async () => {
  const script = await scriptOf("fish");
  for (const [typed, offered] of TYPED) {
    // Fish offers files beside the words of a command that takes any.
    if (/ $/.test(typed) && !/--\S+ $/.test(typed)) continue;
    const line = 'fish --no-config -c "source ../script; complete -C \\"\\$argv[1]\\"" "$2"';
    const told = (await inShell(line, { script, args: [typed] })).map((one) =>
      one.split("\t")[0]!.replace(/\/$/, "").replaceAll("\\ ", " ")
    );
    assertEquals([typed, offered.filter((one) => !told.includes(one))], [typed, []]);
    if (typed.includes("--") && !typed.endsWith(" ")) assertEquals([typed, told], [typed, offered]);
  }
});

/**
 * Calls the function with what zsh gives it, and prints what it hands to zsh's own helpers: the menus,
 * and the specifications of options.
 */
const ZSH = `timeout 20 zsh -f -c '
  compdef() { :; }
  _describe() { print -rl -- \${(P)@[-1]%%:*}; }
  _arguments() { print -rl -- "$@"; }
  . ../script
  words=(\${(z)1})
  [[ $1 == *" " ]] && words+=("")
  CURRENT=$#words
  _hearsay
' zsh "$2"`;

await testWith("zsh", "completions: zsh is handed what may follow", async () => {
  const script = await scriptOf("zsh");
  const told = (typed: string): Promise<string[]> => inShell(ZSH, { script, args: [typed] });
  assertEquals((await told("hearsay ")).toSorted(), NAMES.toSorted());
  for (const command of COMMANDS) {
    for (const { subcommand, options } of partsOf(command)) {
      const typed = `hearsay ${command.name} ${subcommand === undefined ? "" : `${subcommand} `}--`;
      const names = (await told(typed)).flatMap((spec) => /^\*--([a-z-]+)\[/.exec(spec)?.[1] ?? []);
      const expected = [...options.map(({ name }) => name), "help"];
      assertEquals([typed, names.toSorted()], [typed, expected.toSorted()]);
    }
  }
  assertEquals(await told("hearsay log "), ["init", "append", "fork", "rotate", "serve"]);
  const init = await told("hearsay init --admit ");
  assert(init.includes("*--admit[]:anyone|members:(anyone members)"), init.join("\n"));
});

async function pageOf(...args: string[]): Promise<string> {
  const { code, out, err } = await run("man", ...args);
  assertEquals([code, err], [0, []]);
  return out.join("\n") + "\n";
}

/** The arguments of every man page: none for that of the program. */
const PAGES = [[], ...COMMANDS.map(({ name }) => [name])];

Deno.test("man: a command that there is not is refused", async () => {
  const { code, err } = await run("man", "detekt");
  assertEquals([code, err[0]], [
    2,
    "hearsay man: there is no command \"detekt\"; 'hearsay help' lists them",
  ]);
});

await testWith("groff", "man: groff has nothing to say about any page", async () => {
  for (const args of PAGES) {
    const input = await pageOf(...args);
    assertEquals([args, await shell("groff -man -Tutf8 -ww -z", { input })], [args, {
      ...{ code: 0, said: "" },
    }]);
  }
});

await testWith(
  "mandoc",
  "man: mandoc has no warning about any page, but for the date",
  async () => {
    for (const args of PAGES) {
      const { said } = await shell("mandoc -T lint -W warning", { input: await pageOf(...args) });
      const lines = said.split("\n").filter((line) =>
        line !== "" && !line.includes("missing date")
      );
      assertEquals([args, lines], [args, []]);
    }
  },
);

await testWith("man", "man: what man shows of a page has every word of the help", async () => {
  const line = 'f=$(mktemp); cat > "$f"; MANWIDTH=200 man --no-hyphenation --no-justification ' +
    '-l "$f" | col -bx; rm "$f"';
  const help = (await run("--help")).out.join("\n");
  for (
    const [input, text] of [
      [await pageOf(), help],
      ...await Promise.all(COMMANDS.map(async ({ name, help }) => [await pageOf(name), help])),
    ] as [string, string][]
  ) {
    const { said } = await shell(line, { input });
    const shown = new Set(said.split(/\s+/));
    const words = text.replace(/^Examples?:$/m, "").split(/\s+/).filter((word) => word !== "");
    assertEquals(
      words.filter((word) => !shown.has(word) && !shown.has(`hearsay-${word}(1)`)),
      [],
      said,
    );
  }
});
