import type { Cases } from "./case_reader.ts";
import type { HttpGossip } from "./http_gossip.ts";
import type { PageSource } from "./page_source.ts";
import type { Status } from "./status.ts";
import type { Refusal } from "./write_probe.ts";

/** What a daemon tells at its HTTP address. */
export interface ToldOverHttp {
  readonly status: () => Status;
  /** Comparisons, while it offers them. */
  readonly gossip: () => HttpGossip | undefined;
  readonly cases: Cases;
  /** Why its folders cannot be written now, if they cannot; see WriteProbe. */
  readonly tryWriting: () => Promise<Refusal>;
  /** Lets others have a turn, while a long answer is made. Without it an answer is made at once. */
  readonly pause?: () => Promise<void>;
  /** What its page for people is made of. */
  readonly people: PageSource;
}
