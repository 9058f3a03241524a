// Registration by an invitation, whose token is behind the link's sign and so in no server's log.
import { PasswordInput, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, queries, session, told } from "../api/client";
import { Entrance } from "./SignIn";

export function Register() {
  // As it was when the page was opened.
  const [invitation] = useState(() => window.location.hash.slice(1));
  const [password, setPassword] = useState("");
  const navigate = useNavigate();
  const entering = useMutation({
    mutationFn: () => told(api.POST("/api/v1/registrations", { body: { invitation, password } })),
    onSuccess: async (who) => {
      queries.setQueryData(session.queryKey, who);
      await navigate({ to: "/", replace: true });
    },
  });
  return (
    <Entrance title="Join by invitation" button="Join" entering={entering}>
      <Text size="sm">Choose a password of at least 12 characters. If you have an account already, give its password.</Text>
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
