/**
 * A client with a policy. It is shown notes with all kinds of lines, and judges by the real code.
 *
 * @module
 */
import { weigh } from "../../../src/authority/committed.ts";
import type { Policy } from "../../../src/authority/policy.ts";
import type { Rule } from "../../../src/authority/tolerance.ts";
import { strictBase64 } from "../../../src/tlog/encoding.ts";
import {
  formatSignatureLine,
  LINE_START,
  readSignatureLine,
} from "../../../src/tlog/signature_line.ts";
import type { Vkey } from "../../../src/tlog/vkey.ts";
import type { Draw } from "../draw.ts";
import { isMetBy, isPossible, type Ledger, type SignedHead } from "./ledger.ts";
import type { WitnessChecks } from "./properties.ts";

/** Lines that somebody shows beside those that hold. */
const MAX_FORGED = 8;

/** The day on which machines begin, in POSIX seconds: older cosignatures are backdated. */
const DAY_OF_START = 1_767_225_600n;

/** A client. */
export class Client {
  readonly #policy: Policy;
  readonly #rule: Rule;
  readonly #ledger: Ledger;
  readonly #checks: WitnessChecks;
  /** The label of each vkey in the policy. */
  readonly #labels: ReadonlyMap<string, string>;

  constructor(fields: { policy: Policy; rule: Rule; ledger: Ledger; checks: WitnessChecks }) {
    this.#policy = fields.policy;
    this.#rule = fields.rule;
    this.#ledger = fields.ledger;
    this.#checks = fields.checks;
    this.#labels = new Map(
      fields.policy.witnesses.map(({ name, cosigner }) => [cosigner.vkey.text, name]),
    );
  }

  /** Judges a checkpoint with all cosignatures that there are. */
  async isCommitted(head: SignedHead): Promise<boolean> {
    return await this.#judge({ head, lines: this.#ledger.linesFor(head.text) });
  }

  /** Is shown a checkpoint with some of the cosignatures, and with forged lines. */
  async look(draw: Draw, head: SignedHead): Promise<void> {
    const lines = this.#ledger.linesFor(head.text).filter(() => draw.chance(0.8));
    for (let left = draw.between(0, MAX_FORGED); left > 0; left--) {
      const forged = this.#forge(draw, head);
      if (forged !== undefined) lines.push(forged);
    }
    if (draw.chance(0.1)) return await this.#refuse(draw, head, lines);
    const since = draw.chance(0.3) ? DAY_OF_START : undefined;
    await this.#judge({ head, lines: draw.shuffled(lines), since });
  }

  /** Is shown a checkpoint under a line of the log that is about another one, or under none. */
  async #refuse(draw: Draw, head: SignedHead, lines: readonly string[]): Promise<void> {
    const { text } = draw.pick([...this.#ledger.heads.values()]);
    const signed = text === head.text ? [] : [await head.log.line(text)];
    if (signed.length + lines.length === 0) return;
    const note = `${head.text}\n${[...signed, ...lines].map((line) => `${line}\n`).join("")}`;
    const isRefused = "refused" in weigh({ note, policy: this.#policy });
    this.#checks.expect(isRefused, "only cosignatures count", () => "no log has signed it");
  }

  async #judge(
    { head, lines, since }: {
      head: SignedHead;
      lines: readonly string[];
      since?: bigint | undefined;
    },
  ): Promise<boolean> {
    const signed = `${head.text}\n${await head.log.line(head.text)}\n`;
    const note = signed + lines.map((line) => `${line}\n`).join("");
    const weighed = weigh({ note, policy: this.#policy, since });
    if ("refused" in weighed) {
      this.#checks.expect(
        !isPossible(head),
        "only cosignatures count",
        () => `refused: ${weighed.detail}`,
      );
      return false;
    }
    const { ledger, rule, labels } = {
      ledger: this.#ledger,
      rule: this.#rule,
      labels: this.#labels,
    };
    const cosigners = ledger.cosignersIn({ text: head.text, lines, since });
    const isMet = isMetBy(rule, cosigners, labels);
    const counted = weighed.cosigned.filter(({ counts }) => counts)
      .map(({ witness }) => witness.cosigner.vkey.text);
    const isRight = isMet === weighed.committed && cosigners.size === counted.length &&
      counted.every((vkey) => cosigners.has(vkey));
    this.#checks.expect(
      isRight,
      "only cosignatures count",
      () =>
        `${counted.length} were counted and ${weighed.committed ? "are" : "are not"} a quorum; ` +
        `${cosigners.size} have cosigned and ${isMet ? "are" : "are not"} one`,
    );
    return weighed.committed;
  }

  /** A line that looks like a cosignature on a text, and need not be one. */
  #forge(draw: Draw, { text }: SignedHead): string | undefined {
    const all = [...this.#ledger.lines];
    if (all.length === 0) return undefined;
    const [line, { vkey }] = draw.pick(all);
    const { signature } = readSignatureLine(line)!;
    const other: Vkey = draw.pick(this.#policy.witnesses).cosigner.vkey;
    const changed = signature.slice();
    switch (draw.below(6)) {
      case 0: // Of another checkpoint, as it is.
        return line;
      case 1: // Under the name and the key id of somebody else.
        return formatSignatureLine({ vkey: other, signature });
      case 2: // With another time.
        changed[draw.below(8)]! ^= 1 << draw.below(7);
        return formatSignatureLine({ vkey, signature: changed });
      case 3: // Flipped or cut.
        changed[draw.below(changed.length)]! ^= 1 << draw.below(8);
        return formatSignatureLine({ vkey, signature: changed });
      case 4: // One of this checkpoint twice.
        return draw.pick([line, ...this.#ledger.linesFor(text)]);
      default: { // Under another name with the same key.
        const payload = line.slice(line.lastIndexOf(" ") + 1);
        return strictBase64(payload).length > 0
          ? `${LINE_START}${other.name} ${payload}`
          : undefined;
      }
    }
  }
}
