/**
 * Who sends an alert, if several daemons of one operator know its case. Each of them makes its alerts
 * alone; before one about a proven case is sent, it is claimed.
 *
 * @module
 */
import type { Alert } from "./alert.ts";

/** What becomes of an alert that is to be sent. */
export type Claimed =
  /** this daemon sends it */
  | "send"
  /** another one has sent it */
  | "done"
  /** another one is sending it; if it does not, this one may in so many milliseconds */
  | { readonly waitMs: number };

/** Divides the sending among daemons. */
export interface AlertClaims {
  /** Claims an alert on a channel. It never fails: if nobody can be asked, the alert is to be sent. */
  claim(alert: Alert, channel: string): Promise<Claimed>;
  /** The alert was sent. */
  sent(alert: Alert, channel: string): Promise<void>;
}

/** What an alert is claimed by; nothing if every daemon sends its own. */
export function claimKey(
  { case: about }: Pick<Alert, "case">,
  channel: string,
): string | undefined {
  // What a daemon cannot reach, and how its own parts are, is its own news. A proven case is everybody's.
  return about.startsWith("equivocation ") ? `alert ${channel} ${about}` : undefined;
}
