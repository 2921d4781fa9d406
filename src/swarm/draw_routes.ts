/**
 * The graph of members, drawn for a person.
 *
 * @module
 */
import { printable } from "../tlog/malformed.ts";
import type { Routes } from "./graph.ts";

/** Columns of the drawing. Only a word that is longer makes a line longer. */
const COLUMNS = 80;
/** Longer names lose their middle. */
const MOST_NAME = 40;
/** What follows a name begins behind this column, or on the next line if the name is longer. */
const NAME_COLUMN = 24;

/**
 * Draws links and paths, in lines without colour: each member with its links, the best path to each
 * other member, links that only one end tells of, and members to whom no path leads. Members are
 * named by the name of their key; its id is added where two have one name.
 */
export function drawRoutes(routes: Routes): string[] {
  const nameOf = namesOf(routes);
  return [
    ...linksPart(routes, nameOf),
    ...pathsPart(routes, nameOf),
    ...oneWayPart(routes, nameOf),
    ...disconnectedPart(routes, nameOf),
  ];
}

type NameOf = (member: string) => string;

/** What members are called: no two of them alike. */
function namesOf({ members }: Routes): NameOf {
  const short = (member: string): string => shortened(printable(member.split("+", 1)[0]!));
  const groups = Map.groupBy(members, short);
  return (member) => {
    const name = short(member);
    return groups.get(name)?.length === 1 ? name : `${name}+${member.split("+", 2)[1]}`;
  };
}

function shortened(name: string): string {
  const letters = [...name];
  if (letters.length <= MOST_NAME) return name;
  const half = (MOST_NAME - 2) / 2;
  return `${letters.slice(0, half + 1).join("")}…${letters.slice(-half).join("")}`;
}

function linksPart({ own, members, links }: Routes, nameOf: NameOf): string[] {
  if (links.length === 0) return ["Links: none that both ends tell of."];
  const lines = members.flatMap((member) => {
    const neighbours = links.filter(({ ends }) => ends.includes(member)).map((link) => {
      const other = link.ends.find((end) => end !== member)!;
      return `${nameOf(other)} ${link.costMs} ms`;
    });
    if (neighbours.length === 0) return [];
    const label = nameOf(member) + (member === own ? " (this one)" : "");
    return labelled(label, separated(neighbours, ","));
  });
  return ["Links, with the round-trip time that the slower end tells:", ...lines];
}

function pathsPart({ paths }: Routes, nameOf: NameOf): string[] {
  if (paths.length === 0) return ["", "Best paths from here: none."];
  const lines = paths.flatMap(({ members, costMs }) => {
    const [, ...hops] = members.map(nameOf);
    const way = hops.length === 1 ? ["direct"] : separated(hops, " ->");
    return labelled(hops.at(-1)!, [`${costMs} ms:`, ...way]);
  });
  return ["", "Best paths from here:", ...lines];
}

function oneWayPart({ oneWay }: Routes, nameOf: NameOf): string[] {
  if (oneWay.length === 0) return [];
  const lines = oneWay.flatMap(({ from, to, rttMs }) =>
    labelled(nameOf(from), [`-> ${nameOf(to)} ${rttMs} ms,`, `not told by ${nameOf(to)}`])
  );
  return ["", "One-way links: only one end tells of them, so no path uses them:", ...lines];
}

function disconnectedPart({ disconnected }: Routes, nameOf: NameOf): string[] {
  if (disconnected.length === 0) return [];
  const lines = disconnected.map((member) => `  ${nameOf(member)}`);
  return ["", "Disconnected: no path leads to these members:", ...lines];
}

/** Texts with a separator behind each but the last. */
function separated(texts: readonly string[], separator: string): string[] {
  return texts.map((text, i) => i < texts.length - 1 ? text + separator : text);
}

/** A label and the words that belong to it, broken into lines between the words. */
function labelled(label: string, words: readonly string[]): string[] {
  const indent = " ".repeat(NAME_COLUMN + 2);
  const isShort = label.length < NAME_COLUMN;
  const lines = isShort ? [] : [`  ${label}`];
  let line = isShort ? `  ${label}`.padEnd(indent.length - 1) : indent.slice(1);
  for (const word of words) {
    const isFirst = line.length < indent.length;
    if (!isFirst && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = indent.slice(1);
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
