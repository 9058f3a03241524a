// Values of panels as people read them, in the units of runyard/dashboards/unit.py.
import type { components } from "../api/schema";

export type Unit = components["schemas"]["Panel"]["unit"];

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Render a value to three digits with its unit, in the size that fits it. */
export function amount(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined) return "–";
  if (unit === "ratio") return `${digits(value * 100)} %`;
  if (unit === "s") return Math.abs(value) < 1 ? `${digits(value * 1000)} ms` : `${digits(value)} s`;
  if (unit === "requests/s") return `${digits(value)}/s`;
  if (unit !== "bytes" && unit !== "bytes/s") return digits(value);
  const size = Math.min(Math.floor(Math.log2(Math.max(value, 1)) / 10), BINARY.length - 1);
  return `${digits(value / 1024 ** size)} ${BINARY[size]}${unit === "bytes/s" ? "/s" : ""}`;
}

function digits(value: number): string {
  return value.toLocaleString("en", value >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 });
}
