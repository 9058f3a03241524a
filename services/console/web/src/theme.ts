// Colours in which text is read on every ground, light and dark: 4.5 to 1 at least (WCAG 2.2, 1.4.3).
import { createTheme, type CSSVariablesResolver } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "indigo",
  primaryShade: { light: 8, dark: 8 },
  defaultRadius: "md",
  respectReducedMotion: true,
});

// Mantine's own greys for what matters less, and its indigo on what is hovered, come to 3.3 and 4.1.
export const variables: CSSVariablesResolver = ({ colors }) => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": colors.gray[7],
    "--mantine-color-placeholder": colors.gray[7],
    "--mantine-color-indigo-light-color": "#2b3fa8",
  },
  dark: { "--mantine-color-dimmed": colors.dark[1], "--mantine-color-placeholder": colors.dark[1] },
});

/** What a state's badge is filled with, under white letters. */
export const STATE_COLOURS: Record<string, string> = {
  failing: "red.9",
  failed: "red.9",
  degraded: "#b04300",
  starting: "blue.9",
  moving: "blue.9",
  ready: "teal.9",
};
export const OTHER_STATE_COLOUR = "gray.7";
