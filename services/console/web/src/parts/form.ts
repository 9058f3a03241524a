// Amounts and moments as people read them.

/** Render an amount of money, given as exact text, with two digits. */
export function money(amount: string | null | undefined, currency: string): string {
  if (amount === null || amount === undefined) return "–";
  return `${Number(amount).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 4 })} ${currency}`.trim();
}

/** Render a moment, given as ISO text, in the reader's zone. */
export function moment(iso: string): string {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" });
}
