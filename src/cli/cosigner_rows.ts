/**
 * The rows of a status that say how each witness of a policy keeps up with a log.
 *
 * @module
 */
import { type LogStatus, nameOf, type Status, type WitnessOfLog } from "../monitor/status.ts";
import { CASE, MARK, type Mark, TROUBLE } from "./marks.ts";
import { ago } from "./spans.ts";
import type { Column, Row } from "./table.ts";
import type { Style } from "./terminal.ts";

/** The columns of the rows. */
export const COSIGNER_COLUMNS: readonly Column[] = [
  MARK,
  { title: "WITNESS", narrow: "cut" },
  { title: "LOG", narrow: "cut" },
  { title: "SIZE", align: "right" },
  { title: "COSIGNED", align: "right" },
  { title: "STATE" },
];

/** The mark of a witness; nothing if it keeps up, or if it is too early to say. */
export function markOf({ keeping, incidents = 0 }: WitnessOfLog): Mark | undefined {
  if (incidents > 0) return CASE;
  return keeping === "cosigning" || keeping === "waiting" ? undefined : TROUBLE;
}

/** The row of a witness, and why it could not be asked itself. */
export function cosignerRow(
  { name, size, cosignedAt, keeping, failing }: WitnessOfLog,
  { log, status, mark }: { log: LogStatus; status: Status; mark: Mark | undefined },
): Row {
  const style: Style | undefined = mark === undefined ? undefined : "red";
  return {
    cells: [
      { text: mark ?? "", style },
      { text: name, style },
      nameOf(log, status),
      size ?? "-",
      ago(cosignedAt, status.now),
      {
        text: keeping === "waiting" ? "none yet" : keeping,
        style: mark === TROUBLE ? "red" : undefined,
      },
    ],
    ...(failing !== undefined && { note: { text: `asked itself: ${failing}`, style: "dim" } }),
  };
}
