/** What the tests of statements share: a clock that is set by hand, members, and a world on a disk. */
import {
  makeStatement,
  Members,
  readStatement,
  type Statement,
  type StatementBody,
} from "../../src/swarm/statement.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner, type Signer } from "../../src/world/signer.ts";
import type { Clock, World } from "../../src/world/world.ts";
import { MemoryDisk } from "../store/memory_disk.ts";

export const START = Date.parse("2026-01-02T03:04:05.000Z");
export const FOLDER = "home/state";
export const MINUTE = 60_000;

/** A clock that stands still until it is moved. Whoever waits moves it. */
export class HandClock implements Clock {
  ms = START;
  #moved = 0;

  now(): Date {
    return new Date(this.ms);
  }

  monotonic(): number {
    return this.#moved;
  }

  after(ms: number, run: () => void): { cancel(): void } {
    let isDropped = false;
    queueMicrotask(() => {
      if (isDropped) return;
      this.pass(ms);
      run();
    });
    return { cancel: () => isDropped = true };
  }

  pass(ms: number): void {
    this.ms += ms;
    this.#moved += ms;
  }
}

/** A world with a disk in memory. */
export function worldOf(disk: MemoryDisk, clock: Clock): World {
  return { ...denoWorld(), files: disk.files, clock };
}

/** A disk, a clock, and a world of them. */
export function scene(): { disk: MemoryDisk; clock: HandClock; world: World } {
  const disk = new MemoryDisk();
  const clock = new HandClock();
  return { disk, clock, world: worldOf(disk, clock) };
}

/** A new key. */
export async function newMember(name: string): Promise<Signer> {
  return (await generateSigner({ world: denoWorld(), name })).signer;
}

/** Several new keys: member.invalid/1 and so on. */
export function newMembers(count: number): Promise<Signer[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => newMember(`member.invalid/${i + 1}`)));
}

/** The vkeys of these keys, as members. */
export function membersOf(...signers: readonly Signer[]): Members {
  return new Members(signers.map(({ vkey }) => vkey));
}

export function timeText(ms = START): string {
  return new Date(ms).toISOString();
}

export function leave(ms = START): StatementBody {
  return { kind: "leave", time: timeText(ms) };
}

/** A statement of `signer`; by default that it leaves. */
export function statementOf(
  signer: Signer,
  { epoch = 1n, sequence = 1n, body = leave() }: {
    epoch?: bigint;
    sequence?: bigint;
    body?: StatementBody;
  } = {},
): Promise<Statement> {
  return makeStatement({ signer, epoch, sequence, body });
}

/** What is read must be sound. */
export function read(text: string, members: Members): Statement {
  const statement = readStatement(text, members);
  if ("refused" in statement) throw new Error(`${statement.refused}: ${statement.detail}`);
  return statement;
}
