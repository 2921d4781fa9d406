/** What the documents and comments promise a reader: that what they name is there. */
import { assertEquals } from "@std/assert";

const root = new URL("../", import.meta.url);
const DOCUMENTS = [
  ...["README", "ARCHITECTURE", "CONTRIBUTING", "CHANGELOG", "SECURITY", "incidents/README"],
  ...["documents/OPERATING", "documents/PROTOCOL", "documents/RULES"],
];

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, root));
}

function* sources(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(new URL(folder, root))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* sources(path);
    else if (path.endsWith(".ts") && !path.endsWith(".d.ts")) yield path;
  }
}

Deno.test("documents: every export of src has its sentence", () => {
  const silent: string[] = [];
  for (const path of sources("src")) {
    const lines = read(path).split("\n");
    lines.forEach((line, i) => {
      const declares = /^export (async )?(function|class|const|interface|type|abstract)\b/.test(
        line,
      );
      if (declares && !lines[i - 1]?.trimEnd().endsWith("*/")) silent.push(`${path}:${i + 1}`);
    });
  }
  assertEquals(silent, []);
});

for (const name of DOCUMENTS) {
  Deno.test(`documents: ${name}.md links to files that exist`, () => {
    const missing = [...read(`${name}.md`).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
      .map(([, target]) => target!)
      .filter((target) => {
        try {
          Deno.statSync(new URL(target, new URL(`${name}.md`, root)));
          return false;
        } catch {
          return true;
        }
      });
    assertEquals(missing, []);
  });
}

/** A heading's anchor, as GitHub makes it. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

Deno.test("documents: links into a document lead to a heading of it", () => {
  const missing = DOCUMENTS.flatMap((name) => {
    const links = [...read(`${name}.md`).matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)];
    return links.filter(([, target, anchor]) => {
      const path = new URL(target || `${name.split("/").at(-1)}.md`, new URL(`${name}.md`, root));
      const headings = [...Deno.readTextFileSync(path).matchAll(/^#+ (.+)$/gm)];
      return !headings.some(([, heading]) => anchorOf(heading!) === anchor);
    }).map(([link]) => `${name}: ${link}`);
  });
  assertEquals(missing, []);
});

/** The rules that a text defines, such as R6, and the sections of PROTOCOL, such as 13. */
function defined(): Set<string> {
  const rules = read("documents/RULES.md").matchAll(/^(?:\*\*|\| )([RSF]\d+)\b/gm);
  const sections = read("documents/PROTOCOL.md").matchAll(/^## (\d+) /gm);
  return new Set([...rules, ...sections].map(([, name]) => name!));
}

Deno.test("documents: every rule and section that is cited exists", () => {
  const known = defined();
  const folders = ["src", "tests"].flatMap((folder) => [...sources(folder)]);
  const unknown = [...folders, ...DOCUMENTS.map((name) => `${name}.md`)].flatMap((path) => {
    // A citation may be broken over two lines, in a comment too.
    const text = read(path).replace(/\n\s*(?:\*|\/\/)?\s*/g, " ");
    const rules = [...text.matchAll(/\bRULES ([RSF]\d+)/g)];
    const sections = [...text.matchAll(/\bPROTOCOL section (\d+)/g)];
    return [...rules, ...sections].filter(([, name]) => !known.has(name!))
      .map(([whole]) => `${path}: ${whole}`);
  });
  assertEquals(unknown, []);
});

Deno.test("documents: no comment cites a document that is not in the project", () => {
  const folders = ["src", "tests"].flatMap((folder) => [...sources(folder)]);
  const outside = /\b(DESIGN|SPECS|STYLE)\b(?! *=)/;
  const citing = [...folders, "main.ts", ...DOCUMENTS.map((name) => `${name}.md`)]
    .filter((path) => path !== "tests/docs_test.ts" && outside.test(read(path)));
  assertEquals(citing, []);
});

Deno.test("documents: every task and command they name exists", () => {
  const { tasks } = JSON.parse(read("deno.json")) as { tasks: Record<string, unknown> };
  const files = [...Deno.readDirSync(new URL("src/cli", root))].map(({ name }) => name);
  const commands = [...files, "help.ts"];
  const unknown = DOCUMENTS.flatMap((name) => {
    const text = read(`${name}.md`);
    const named = [...text.matchAll(/(?:deno|deno@[\d.]+) task ([a-z][a-z-]*)/g)];
    const called = [...text.matchAll(/(?:^|[`$ ])(?:\.\/)?hearsay ([a-z]+)(?= |`|$)/gm)]
      .filter(([whole]) => whole.includes("`") || whole.includes("$"));
    return [
      ...named.map(([, task]) => task!).filter((task) => !(task in tasks)),
      ...called.map(([, command]) => command!).filter((command) =>
        !commands.includes(`${command}.ts`)
      ),
    ];
  });
  assertEquals(unknown, []);
});
