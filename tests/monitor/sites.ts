/** Sites that share a store, for tests. */
import { grow } from "../evidence/histories.ts";
import { FakeNetwork, ManualClock } from "../gossip/fake_network.ts";
import { SharedSqlite } from "../store/shared_sqlite.ts";
import { migrate } from "../../src/store/shared_schema.ts";
import { type Duties, Host, logAt, MINUTE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

export const SECOND = 1_000;
export const LEASE = 30 * SECOND;

/** Sites that share a store, in one network and one time. */
export class Sites implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly network = new FakeNetwork({ clock: this.clock });
  readonly server = new SharedSqlite({ clock: this.clock });
  readonly hosts: Host[] = [];

  static async make(count: number): Promise<Sites> {
    const sites = new Sites();
    await migrate(
      await sites.server.site().connect({ url: "postgres://monitor@127.0.0.1/shared" }),
    );
    for (let number = 1; number <= count; number++) {
      const { clock, network } = sites;
      const host = await Host.make({ clock, network, number });
      host.shared = sites.server.site();
      sites.hosts.push(host);
    }
    return sites;
  }

  /** Starts a site that has a source of its own for each log. */
  async start(
    number: number,
    sources: readonly ScriptedSource[],
    more: Partial<Duties> & { views?: number } = {},
  ): Promise<Host> {
    const { views = 1, ...duties } = more;
    const host = this.hosts[number]!;
    const logs = sources.map((source) => ({ source, pollMs: MINUTE }));
    await host.start({ logs, ...duties, store: { views, leaseMs: LEASE } });
    return host;
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += SECOND) {
      await this.hosts[0]!.pass(Math.min(SECOND, ms - passed));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.hosts) await host[Symbol.asyncDispose]();
    this.server.close();
  }
}

/** A log of which two sites see one history, each by a source of its own. */
export async function shownTwice(size: number): Promise<[ScriptedSource, ScriptedSource]> {
  const log = grow(await logAt(), 40);
  return [new ScriptedSource(log, size), new ScriptedSource(log, size)];
}

export function logOf(host: Host) {
  return host.daemon!.status().logs[0]!;
}

/** Two histories of one log, and a source for each. */
export async function parted(): Promise<{ ours: ScriptedSource; theirs: ScriptedSource }> {
  const log = grow(await logAt(), 4);
  const fork = grow(log.fork(), 20, "theirs");
  return { ours: new ScriptedSource(grow(log, 20), 8), theirs: new ScriptedSource(fork, 8) };
}
