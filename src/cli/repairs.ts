/** How commands show the repair of a journal. */
import type { Entry } from "../evidence/entry.ts";
import type { Repair } from "../store/repaired.ts";
import { asideFaults } from "../store/repairing.ts";
import { printable } from "../tlog/malformed.ts";
import type { World } from "../world/world.ts";
import type { Terminal } from "./terminal.ts";

/** A number with its noun. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A repair in one line. */
export function describeRepair({ by, reason, aside, again }: Repair): string {
  const lines = aside.reduce((sum, { lines }) => sum + lines, 0);
  const bytes = aside.reduce((sum, { bytes }) => sum + bytes, 0);
  const [first] = aside;
  const more = aside.length > 1 ? ` and ${aside.length - 1} more` : "";
  return printable(
    `repaired by ${by}: ${reason}; from line ${first!.line} of ${first!.from} on, ` +
      `${counted(lines, "line")} (${counted(bytes, "byte")}) set aside in ${first!.file}${more}; ` +
      `of that, ${counted(again, "record")} written again after this entry`,
  );
}

/**
 * Shows a repair, and checks the files that it set aside.
 * @returns how many of them are gone or altered; each is told
 */
export async function checkRepair(
  { world, terminal, folder, json }: {
    world: World;
    terminal: Terminal;
    folder: string;
    json: boolean;
  },
  { entry, repair }: { entry: Entry; repair: Repair },
): Promise<number> {
  const faults = await asideFaults({ files: world.files, folder }, repair);
  if (!json) {
    terminal.out(`entry ${entry.seq}, ${entry.recorded_at}: ${describeRepair(repair)}`);
    for (const { file, bytes, sha256 } of repair.aside) {
      terminal.out(printable(`  set aside: ${file}, ${bytes} bytes, SHA-256 ${sha256}`));
    }
  }
  for (const fault of faults) terminal.err(printable(fault));
  return faults.length;
}
