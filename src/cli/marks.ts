import type { Column } from "./table.ts";

/** Begins the lines of what is wrong: colour alone must not say it. */
export const CASE = "!!";
/** The same, if nothing is proven. */
export const TROUBLE = "!";
/** One of the two. */
export type Mark = typeof CASE | typeof TROUBLE;

/** The column of the marks, as wide as the longest, so that all rows begin at one place. */
export const MARK: Column = { title: " ".repeat(CASE.length) };
