import { WorldError, type WorldErrorKind } from "./world.ts";

const KINDS: readonly [new (message: string) => Error, WorldErrorKind][] = [
  [Deno.errors.NotFound, "not found"],
  [Deno.errors.AlreadyExists, "already exists"],
  [Deno.errors.PermissionDenied, "not permitted"],
  [Deno.errors.NotCapable, "not permitted"],
  [Deno.errors.TimedOut, "timed out"],
  [Deno.errors.BadResource, "closed"],
  [Deno.errors.Interrupted, "closed"],
];

/** What the system says if the process or the machine lacks descriptors or memory. */
const EXHAUSTED = ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS"];

/** An error of the platform as one of the world's. */
export function worldError(error: unknown): WorldError {
  const code = error instanceof Error && "code" in error ? `${error.code}` : "";
  const kind = EXHAUSTED.includes(code)
    ? "exhausted"
    : KINDS.find(([type]) => error instanceof type)?.[1] ?? "other";
  const message = error instanceof Error ? error.message : String(error);
  // Deno's advice is meant for authors of scripts, and would have them allow everything.
  const permission = /^Requires (.+?)(?:, run again with .*)?$/s.exec(message)?.[1];
  const isDenied = error instanceof Deno.errors.NotCapable && permission !== undefined;
  return new WorldError(
    kind,
    isDenied ? `Hearsay was started without ${permission}` : message,
  );
}
