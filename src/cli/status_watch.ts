import type { Clock } from "../world/world.ts";
import { WorldError } from "../world/world.ts";
import { Stop } from "../world/stop.ts";
import { EXIT, type ExitCode, UsageError } from "./command.ts";
import type { Terminal } from "./terminal.ts";

/** How often the status is asked for, in seconds. */
const USUAL_SECONDS = 2;
const [LEAST_SECONDS, MOST_SECONDS] = [0.1, 3_600];

/**
 * Takes `--watch [SECONDS]` out of the arguments, as no other option has a value that may be missing.
 * @returns the other arguments, and the pause in milliseconds if it is to watch
 * @throws UsageError if the seconds are out of range
 */
export function takeWatch(
  args: readonly string[],
): { rest: readonly string[]; everyMs: number | undefined } {
  const at = args.findIndex((arg) => /^--watch(=|$)/.test(arg));
  if (at < 0) return { rest: args, everyMs: undefined };
  const [, joined] = args[at]!.split("=");
  // An address has a colon, so a number is no operand.
  const next = args[at + 1] ?? "";
  const isNext = joined === undefined && /^[\d.]+$/.test(next);
  const given = joined ?? (isNext ? next : `${USUAL_SECONDS}`);
  const seconds = /^\d+(\.\d+)?$/.test(given) ? Number(given) : NaN;
  if (!(seconds >= LEAST_SECONDS && seconds <= MOST_SECONDS)) {
    throw new UsageError(
      `--watch is ${JSON.stringify(given)}, expected ${LEAST_SECONDS} to ${MOST_SECONDS} seconds`,
    );
  }
  const rest = [...args.slice(0, at), ...args.slice(at + (isNext ? 2 : 1))];
  return { rest, everyMs: 1_000 * seconds };
}

/** What one look at a daemon came to: the lines to show, and the exit code. */
export interface Shown {
  readonly lines: readonly string[];
  readonly exit: ExitCode;
}

/**
 * Shows a status again and again, until asked to end or nobody reads any more. One request is under way
 * at a time.
 * @param away what to show if no daemon answers
 * @returns the exit code of the last status
 */
export async function watchStatus({ look, away, show, everyMs, clock, terminal }: {
  look: () => Promise<Shown>;
  away: (reason: string) => Shown;
  show: (lines: readonly string[]) => void;
  everyMs: number;
  clock: Clock;
  terminal: Terminal;
}): Promise<ExitCode> {
  const stop = new Stop();
  const stopped = new Promise<undefined>((resolve) => stop.onStop(() => resolve(undefined)));
  terminal.onStop(() => stop.stop());
  let exit: ExitCode = EXIT.failed;
  try {
    while (!stop.stopped && !terminal.lost.hasGone) {
      const looking = look().catch((error) => {
        if (error instanceof WorldError) return away(error.message);
        throw error;
      });
      const shown = await Promise.race([looking, stopped]);
      // The request under way is given up.
      if (shown === undefined) return exit;
      exit = shown.exit;
      show(shown.lines);
      await stop.pause(clock, everyMs);
    }
    return exit;
  } finally {
    terminal.release();
  }
}
