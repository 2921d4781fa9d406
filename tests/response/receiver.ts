/** A receiver of webhooks on loopback: it checks what comes with the package standardwebhooks. */
import { Webhook } from "standardwebhooks";
import { type Alert, parseAlert } from "../../src/response/alert.ts";
import { verifyEvidence } from "../../src/response/alert_evidence.ts";

/** The secret that both ends share, as a file has it. */
export const SECRET = `whsec_${btoa("0123456789abcdef0123456789abcdef")}`;

/** What came, and when, by `performance.now()`. */
export interface Received {
  readonly alert: Alert;
  readonly at: number;
  /** The path that was asked for. */
  readonly path: string;
}

/** A receiver that works as it is told. */
export class Receiver implements AsyncDisposable {
  readonly received: Received[] = [];
  /** How many came in all, those that were not taken included. */
  asked = 0;
  /** What it answers. */
  answer: () => Response | Promise<Response> = () => new Response(null, { status: 204 });
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #waiting: { readonly isDone: () => boolean; readonly resolve: () => void }[] = [];

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#take(request),
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/hook`;
  }

  /** The alerts that it has taken, each once, in the order in which they came first. */
  get alerts(): Alert[] {
    return [...new Map(this.received.map(({ alert }) => [alert.id, alert])).values()];
  }

  /** Resolves when it has taken so many different alerts. */
  until(count: number): Promise<void> {
    const isDone = (): boolean => this.alerts.length >= count;
    if (isDone()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ isDone, resolve }));
  }

  async #take(request: Request): Promise<Response> {
    const body = await request.text();
    const at = performance.now();
    this.asked++;
    const answer = await this.answer();
    if (!answer.ok) return answer;
    // It throws if the signature is wrong, or the time is more than five minutes away.
    new Webhook(SECRET).verify(body, Object.fromEntries(request.headers));
    const alert = parseAlert(body);
    const fault = alert.evidence && verifyEvidence(alert.evidence);
    if (fault !== undefined) throw new Error(fault);
    this.received.push({ alert, at, path: new URL(request.url).pathname });
    for (const { isDone, resolve } of this.#waiting) if (isDone()) resolve();
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
