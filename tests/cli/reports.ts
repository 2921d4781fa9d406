/** Reports of incidents, followed as their readers follow them. */

/** The first incident of a monitor. */
export const INC = `INC-${new Date().getUTCFullYear()}-001`;
/** Who takes a step, and why. */
export const PERSON = ["--by", "Ada Lovelace", "--why", "the operator has explained it"];

/** The blocks of how to check it: what is to be typed (`sh`), and what must come (`text`). */
export function blocksOf(report: string): { kind: string; content: string }[] {
  const checks = report.slice(report.indexOf("\n## How to check it"));
  return [...checks.matchAll(/\n(```+)(sh|text)\n([\s\S]*?)\n\1\n/g)]
    .map(([, , kind, content]) => ({ kind: kind!, content: content! }));
}

/** Types what a report says, in its order and in one shell, without what needs Hearsay. */
export async function followed(report: string, { folder }: { folder: string }): Promise<string[]> {
  const typed = blocksOf(report)
    .filter(({ kind, content }) => kind === "sh" && !content.includes("hearsay "))
    .map(({ content }) => content);
  const script = `exec 2>&1\n${typed.join("\n")}`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script], cwd: folder }).output();
  return new TextDecoder().decode(stdout).split("\n");
}

/** Whether openssl was there when a report was followed. */
export function hasOpenssl(seen: readonly string[]): boolean {
  return !seen.some((line) => /openssl.*not found/.test(line));
}
