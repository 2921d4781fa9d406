import type { Cosigned, Weighed } from "../authority/committed.ts";
import type { Refused, VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { describeLog, formatLog } from "../tlog/log.ts";
import { printable } from "../tlog/malformed.ts";
import { timeOf } from "../world/time.ts";
import type { Clock } from "../world/world.ts";
import { span } from "./spans.ts";
import type { Terminal } from "./terminal.ts";

/** A line with its mark: what holds, what does not, and what a person should know. */
export function tell(terminal: Terminal, mark: "✓" | "✗" | "!", text: string): void {
  const style = ({ "✓": "green", "✗": "red", "!": "yellow" } as const)[mark];
  terminal.out(`  ${terminal.paint(style, mark)} ${printable(text)}`);
}

/** What is known of a checkpoint, a line for each signer. */
export function tellWeighed(weighed: Weighed, tools: { terminal: Terminal; clock: Clock }): void {
  const { checkpoints, cosigned, missing } = weighed;
  const { terminal, clock } = tools;
  for (const { log } of checkpoints) tell(terminal, "✓", `signed by ${describeLog(log)}`);
  for (const { witness, time, counts } of cosigned) {
    const old = counts ? "" : ": too old to count";
    tell(terminal, counts ? "✓" : "✗", `cosigned by ${witness.name}, ${when(time, clock)}${old}`);
  }
  for (const { name } of missing) tell(terminal, "!", `not cosigned by ${name}`);
}

/** In one sentence whether a checkpoint is committed. */
export function verdictOn({ committed, frozen, cosigned, missing }: Weighed): string {
  if (frozen.length > 0) {
    return "FROZEN, and so NOT committed: this monitor accepts nothing of the log now";
  }
  const counting = cosigned.filter(({ counts }) => counts).length;
  const how = `witnesses: ${counting} of ${cosigned.length + missing.length}`;
  if (committed && counting === 0) {
    return `committed, though nobody needs to have cosigned it: the policy's quorum is none (${how})`;
  }
  return committed
    ? `committed: a quorum of the policy has cosigned it (${how})`
    : `NOT committed: no quorum of the policy has cosigned it (${how})`;
}

/** Which checkpoint it is. */
export function describeHead({ log, treeSize, root }: VerifiedCheckpoint): string {
  return `${log.origin} size ${treeSize}, root ${root}`;
}

/** A weighed checkpoint for `--json`. */
export function weighedForMachines(weighed: Weighed | Refused): Record<string, unknown> {
  if ("refused" in weighed) {
    return { committed: false, refused: weighed.refused, detail: weighed.detail };
  }
  const [first] = weighed.checkpoints;
  return {
    committed: weighed.committed,
    ...(weighed.frozen.length > 0 && { frozen: weighed.frozen.map(formatLog) }),
    origin: first!.log.origin,
    size: `${first!.treeSize}`,
    root: first!.root,
    signed_by: weighed.checkpoints.map(({ log }) => formatLog(log)),
    cosigned_by: weighed.cosigned.map(({ witness, time, counts }) => ({
      ...{ name: witness.name, vkey: witness.cosigner.vkey.text },
      ...{ time: timeText(time) ?? null, counts },
    })),
    not_cosigned_by: weighed.missing.map(({ name, cosigner }) => ({
      ...{ name, vkey: cosigner.vkey.text },
    })),
  };
}

/** The latest time that a Date holds, in seconds. A witness may state a later one. */
const MAX_DATE_SECONDS = 8_640_000_000_000n;

/** A cosignature's time in RFC 3339; nothing if it states none, or one that no calendar has. */
function timeText(time: bigint): string | undefined {
  return time === 0n || time > MAX_DATE_SECONDS ? undefined : timeOf(Number(time) * 1_000);
}

function when(time: Cosigned["time"], clock: Clock): string {
  if (time === 0n) return "without a time";
  const text = timeText(time);
  if (text === undefined) return `with the time ${time}, which no calendar has`;
  const now = clock.now().toISOString();
  return text > now ? `in the future: ${text}` : `${span(text, now)} ago (${text})`;
}
