// A state as a word with a colour: never the colour alone.
import { Badge } from "@mantine/core";

const COLOURS: Record<string, string> = {
  failing: "red.8",
  failed: "red.8",
  degraded: "orange.8",
  starting: "blue.8",
  moving: "blue.8",
  paused: "gray.7",
  ending: "gray.7",
  ready: "green.9",
  asleep: "gray.7",
  frozen: "gray.7",
};

export function State({ state }: { state: string }) {
  return (
    <Badge color={COLOURS[state] ?? "gray.7"} variant="filled" radius="sm">
      {state}
    </Badge>
  );
}
