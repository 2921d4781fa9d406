/**
 * Whether a daemon answers, and whether it does its work: for service managers and load balancers.
 *
 * @module
 */
import { reasonsNotReady } from "../monitor/readiness.ts";
import type { HttpAnswer } from "../world/world.ts";
import { jsonAnswer } from "./answers.ts";
import type { Route, StatusPage } from "./route.ts";

/** As many reasons as are told. */
const MAX_REASONS = 20;

const OK = 200;
const NOT_READY = 503;

/** `/healthz`: the process answers. `/readyz`: it follows its logs, and can write. */
export const HEALTH_ROUTES: readonly Route[] = [
  { path: "/healthz", answer: () => jsonAnswer(OK, { answers: true }) },
  { path: "/readyz", answer: (_asked, page) => answerReady(page) },
];

async function answerReady({ status, tryWriting }: StatusPage): Promise<HttpAnswer> {
  const reasons = reasonsNotReady(status(), await tryWriting());
  const ready = reasons.length === 0;
  return jsonAnswer(ready ? OK : NOT_READY, {
    ready,
    reasons: reasons.slice(0, MAX_REASONS),
    ...(reasons.length > MAX_REASONS && { leftOut: reasons.length - MAX_REASONS }),
  });
}
