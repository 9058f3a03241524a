// What a link from the host's administrator opens: its token is behind the sign, and so in no server's log.
import { PasswordInput, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, queries, type Session, session, told } from "../api/client";
import { Entrance } from "./SignIn";

/** Registration by an invitation. */
export function Register() {
  return (
    <ByLink
      title="Join by invitation"
      button="Join"
      words="Choose a password of at least 12 characters. If you have an account already, give its password."
      send={(invitation, password) => told(api.POST("/api/v1/registrations", { body: { invitation, password } }))}
    />
  );
}

/** Another password in the place of one that was lost. */
export function Reset() {
  return (
    <ByLink
      title="Set another password"
      button="Set"
      words="Choose a password of at least 12 characters. You are then signed in here, and signed out everywhere else."
      send={(reset, password) => told(api.POST("/api/v1/passwords", { body: { reset, password } }))}
    />
  );
}

function ByLink(props: {
  title: string;
  button: string;
  words: string;
  send: (token: string, password: string) => Promise<Session>;
}) {
  // As it was when the page was opened.
  const [token] = useState(() => window.location.hash.slice(1));
  const [password, setPassword] = useState("");
  const navigate = useNavigate();
  const entering = useMutation({
    mutationFn: () => props.send(token, password),
    onSuccess: async (who) => {
      // Of whoever was signed in before.
      queries.clear();
      queries.setQueryData(session.queryKey, who);
      await navigate({ to: "/", replace: true });
    },
  });
  return (
    <Entrance title={props.title} button={props.button} entering={entering}>
      <Text size="sm">{props.words}</Text>
      <PasswordInput
        label="Password"
        autoComplete="new-password"
        required
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
      />
    </Entrance>
  );
}
