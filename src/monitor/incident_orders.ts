import type { JsonObject } from "../evidence/json.ts";
import { type Cause, CAUSES, STATES } from "../evidence/transition.ts";
import type { Obeyed } from "../swarm/control.ts";
import { makeLog } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { checkMembers, listOf, object, oneOf, type Shape, text } from "../tlog/members.ts";
import { parseVkey } from "../tlog/vkey.ts";
import type { Log } from "../tlog/log.ts";
import type { StepOrder, Stepped } from "./incident_keeper.ts";

/** An incident that a person opens. */
export interface OpenOrder {
  readonly log: { readonly origin: string; readonly vkey: string };
  readonly cause: Cause;
  /** Evidence ids. The journal must have these cases. */
  readonly cases: readonly string[];
  readonly by: string;
  readonly why: string;
}

/** What `hearsay incidents` asks of a running daemon, or does to the journal itself. */
export type IncidentOrder = { readonly step: StepOrder } | { readonly open: OpenOrder };

/** Whoever can do it. */
export interface Obeying {
  step(order: StepOrder): Promise<Stepped>;
  open(order: Omit<OpenOrder, "log"> & { readonly log: Log }): Promise<Stepped>;
}

const ORDER: Shape = {
  must: {},
  may: {
    step: object({
      must: { incident: text, to: oneOf(STATES), by: text, why: text },
      may: { bundle: text },
      others: "refused",
    }),
    open: object({
      must: {
        log: object({ must: { origin: text, vkey: text }, others: "refused" }),
        cause: oneOf(CAUSES),
        cases: listOf(text),
        by: text,
        why: text,
      },
      others: "refused",
    }),
  },
  others: "refused",
};

/**
 * Does what a person orders, who has the monitor's key.
 * @returns what became of it. Nothing of what is refused was done
 * @throws WorldError if the disk refuses
 */
export async function obeyOrder(order: JsonObject, obeying: Obeying): Promise<Obeyed> {
  try {
    checkMembers(order, { what: "an order about an incident", shape: ORDER });
    const { step, open } = order as unknown as { step?: StepOrder; open?: OpenOrder };
    if ((step === undefined) === (open === undefined)) {
      throw new MalformedError("an order about an incident has either step or open");
    }
    const named = step?.incident ?? "the incident";
    const stepped = step !== undefined
      ? await obeying.step(step)
      : await obeying.open({ ...open!, log: logOfOrder(open!) });
    if ("refused" in stepped) return { refused: `${named} ${stepped.refused}` };
    const { isUnchanged, incident: { id, state } } = stepped;
    return { done: true, incident: id, state, ...(isUnchanged && { isUnchanged }) };
  } catch (error) {
    if (error instanceof MalformedError) return { refused: error.message };
    throw error;
  }
}

function logOfOrder({ log: { origin, vkey } }: OpenOrder): Log {
  return makeLog({ vkey: parseVkey(vkey), origin });
}
