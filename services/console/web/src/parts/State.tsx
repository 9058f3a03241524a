// A state as a word with a colour: never the colour alone.
import { Badge } from "@mantine/core";
import { OTHER_STATE_COLOUR, STATE_COLOURS } from "../theme";

export function State({ state }: { state: string }) {
  return (
    <Badge color={STATE_COLOURS[state] ?? OTHER_STATE_COLOUR} variant="filled" radius="sm">
      {state}
    </Badge>
  );
}
