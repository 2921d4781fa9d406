/**
 * Who sends an alert, if several daemons of one operator know its case. Each of them makes its alerts
 * alone; before one about a proven case is sent, it is claimed.
 *
 * @module
 */
import { utf8 } from "../tlog/encoding.ts";
import { sha256Hex } from "../tlog/hashing.ts";
import type { Alert } from "./alert.ts";
import type { Channel } from "./channel.ts";

/** A channel, as far as claims tell it from others. */
export type ClaimedChannel = Pick<Channel, "name" | "leadsTo">;

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
  claim(alert: Alert, channel: ClaimedChannel): Promise<Claimed>;
  /** The alert was sent. */
  sent(alert: Alert, channel: ClaimedChannel): Promise<void>;
  /** The alert could not be sent. Others may try now; this daemon claims it anew when it tries again. */
  failed(alert: Alert, channel: ClaimedChannel): Promise<void>;
}

/**
 * What an alert is claimed by; nothing if every daemon sends its own. Channels of one name that lead
 * elsewhere have nothing in common: whoever is at the end of the one must hear of the case too.
 */
export function claimKey(
  { case: about }: Pick<Alert, "case">,
  { name, leadsTo }: ClaimedChannel,
): string | undefined {
  // What a daemon cannot reach, and how its own parts are, is its own news. A proven case is everybody's.
  if (!about.startsWith("equivocation ")) return undefined;
  // A name may be longer than a key, and a place may be a secret.
  const channel = sha256Hex(utf8(`${name}\n${leadsTo}`)).slice(0, 32);
  return `alert ${channel} ${about}`;
}
