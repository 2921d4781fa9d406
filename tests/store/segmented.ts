/** Journals of observations on a disk in memory, cut into small segments. */
import { checkObservations, ObservationJournal } from "../../src/store/observations.ts";
import { segmentName } from "../../src/store/segments.ts";
import { type Databases } from "../../src/world/world.ts";
import { MemoryDisk } from "./memory_disk.ts";
import { AT, FOLDER, LOGS, observation, worldOn } from "./observing.ts";

export const [LOG, OTHER] = LOGS as [typeof LOGS[0], typeof LOGS[0]];
/** Small enough that every entry fills a segment. */
export const ONE_ENTRY = 1;

interface Options {
  segmentBytes?: number;
  keepSegments?: number;
  databases?: Databases;
}

export function open(
  disk: MemoryDisk,
  { databases, ...options }: Options = {},
): Promise<ObservationJournal> {
  return ObservationJournal.open({ world: worldOn(disk, databases), folder: FOLDER, ...options });
}

export function segment(number: number): string {
  return `${FOLDER}/${segmentName("observations", number)}`;
}

export function segments(disk: MemoryDisk): number[] {
  return disk.paths().map((path) => /-(\d{6})\.jsonl$/.exec(path)?.[1]).filter((n) => n)
    .map(Number);
}

export async function check(disk: MemoryDisk): Promise<number> {
  let count = 0;
  for await (const _ of checkObservations({ files: disk.files, folder: FOLDER })) count++;
  return count;
}

/** Five entries of growing size, one a segment. */
export async function fiveSegments(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const log = await open(disk, { segmentBytes: ONE_ENTRY });
  for (let size = 1; size <= 5; size++) await log.append(observation({ size }), AT);
  await log.close();
  return disk;
}
