/**
 * What the status server's routes have in common.
 *
 * @module
 */
import type { ToldOverHttp } from "../monitor/told_over_http.ts";
import type { HttpAnswer, HttpQuery } from "../world/world.ts";

/** What a route answers from. */
export type StatusPage = Omit<ToldOverHttp, "gossip" | "people">;

/** A request that a route is to answer. */
export interface Asked {
  readonly query: HttpQuery;
  /** What stands in the path for each name in braces, percent-encoded as it came. */
  readonly named: Readonly<Record<string, string>>;
}

/** One path and what answers there. */
export interface Route {
  /** A part in braces stands for any one part: `/api/v1/incidents/{number}`. */
  readonly path: string;
  /** GET and HEAD unless others are said. */
  readonly methods?: readonly string[];
  answer(asked: Asked, page: StatusPage): HttpAnswer | Promise<HttpAnswer>;
}

/** The methods of routes that change nothing. */
export const READING: readonly string[] = ["GET", "HEAD"];

/** The route of a path, and what its names stand for; nothing if none has it. */
export function routeOf(
  path: string,
  routes: readonly Route[],
): { route: Route; named: Record<string, string> } | undefined {
  const parts = path.split("/");
  for (const route of routes) {
    const wanted = route.path.split("/");
    if (wanted.length !== parts.length) continue;
    const named: Record<string, string> = {};
    const fits = wanted.every((part, i) => {
      const [, name] = /^\{(\w+)\}$/.exec(part) ?? [];
      if (name === undefined) return part === parts[i];
      named[name] = parts[i]!;
      return parts[i] !== "";
    });
    if (fits) return { route, named };
  }
  return undefined;
}
