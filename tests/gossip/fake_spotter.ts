/** A gossip endpoint of sourcespotter, in memory. */
import { assert } from "@std/assert";
import type { TestLog } from "../../src/sources/test_log.ts";
import { openCheckpoint } from "../../src/tlog/checkpoint.ts";
import { denoWorld } from "../../src/world/deno.ts";
import type { Http } from "../../src/world/world.ts";
import type { Answer } from "../sources/fake_http.ts";

/** A server that behaves as sourcespotter's `ServeGossip` and `ReceiveGossip` do. */
export class FakeSpotter {
  /** The history that it follows, and has verified. */
  readonly story: TestLog;
  /** Every note that it was told, by size and root, and whether it was found consistent. */
  readonly told = new Map<string, boolean | undefined>();
  readonly posts: string[] = [];
  /** What is answered instead, for as long as it says something. */
  instead: (method: string) => Answer | undefined = () => undefined;
  /** Whether it takes no note of this size, because it is too long for it, for example. */
  refuses: (treeSize: bigint) => boolean = () => false;

  constructor(story: TestLog) {
    this.story = story;
  }

  /** Compares everything that it was told with its own history, as its auditor does now and then. */
  audit(): void {
    for (const key of this.told.keys()) {
      const [size, root] = key.split(" ") as [string, string];
      const treeSize = BigInt(size);
      if (treeSize > this.story.treeSize) continue;
      this.told.set(key, this.story.root(treeSize).toBase64() === root);
    }
  }

  async answer(content: Uint8Array | undefined): Promise<Answer> {
    const instead = this.instead(content === undefined ? "GET" : "POST");
    if (instead !== undefined) return instead;
    if (content === undefined) return { body: await this.story.checkpoint() };
    const opened = openCheckpoint({ note: content, logs: [this.story.log] });
    if ("refused" in opened || this.refuses(opened[0]!.treeSize)) {
      return { status: 400, body: "Invalid STH" };
    }
    const key = `${opened[0]!.treeSize} ${opened[0]!.root}`;
    this.posts.push(key);
    if (!this.told.has(key)) this.told.set(key, undefined);
    const consistent = this.told.get(key);
    const word = consistent === undefined ? "pending" : consistent ? "consistent" : "inconsistent";
    return { body: `${word}: a sentence for people\n` };
  }

  /** HTTP as somebody uses it who reaches this server alone. */
  get http(): Http {
    return {
      ...denoWorld().http,
      request: async ({ content, maxBytes }) => {
        const { status = 200, headers = {}, body = "" } = await this.answer(content);
        const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
        assert(bytes.length <= maxBytes);
        return { status, header: (name) => headers[name], body: bytes };
      },
    };
  }
}
