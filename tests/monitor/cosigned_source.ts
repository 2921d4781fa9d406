/** A log in memory whose notes come with cosignatures. */
import { utf8 } from "../../src/tlog/encoding.ts";
import { parseNote } from "../../src/tlog/note.ts";
import type { Clock } from "../../src/world/world.ts";
import type { MadeWitness } from "../authority/policies.ts";
import { noteOf, ScriptedSource } from "./scripted_source.ts";
import type { TestLog } from "../../src/sources/test_log.ts";

/** POSIX seconds now. */
export function secondsNow(clock: Clock): bigint {
  return BigInt(Math.floor(clock.now().getTime() / 1_000));
}

/** A log's note at a size, cosigned by these. */
export async function cosignedNote(
  { story, size, by, time }: {
    story: TestLog;
    size?: number | undefined;
    by: readonly MadeWitness[];
    time: bigint;
  },
): Promise<string> {
  const note = await noteOf(story, size);
  const { text } = parseNote(note);
  return note + by.map((one) => `${one.line(text, time)}\n`).join("");
}

/** As ScriptedSource, with the cosignatures of those in `by`, made when the note is asked for. */
export class CosignedSource extends ScriptedSource {
  by: readonly MadeWitness[];
  readonly #clock: Clock;

  constructor({ story, by, clock }: { story: TestLog; by: readonly MadeWitness[]; clock: Clock }) {
    super(story);
    this.by = by;
    this.#clock = clock;
  }

  override async latest(): Promise<Uint8Array> {
    const plain = await super.latest();
    if (this.latestTrouble !== undefined) return plain;
    const { story, size, by } = this;
    return utf8(await cosignedNote({ story, size, by, time: secondsNow(this.#clock) }));
  }
}
