/** How commands show a step of an incident. */
import type { Transition } from "../evidence/transition.ts";
import { printable } from "../tlog/malformed.ts";

/** A step in one line. */
export function describeStep({ incident, from, to, by, why, log, cause }: Transition): string {
  if (from === null) {
    return printable(`${incident} opened (${cause}) about ${log.origin}, by ${by}: ${why}`);
  }
  const step = from === to ? `${to}, more evidence` : `${from} → ${to}`;
  return printable(`${incident} ${step}, by ${by}: ${why}`);
}
