// Sign-in with e-mail address and password.
import { Alert, Button, Card, Center, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useState } from "react";
import { api, queries, session, told } from "../api/client";

export function SignIn() {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const navigate = useNavigate();
  const entering = useMutation({
    mutationFn: () => told(api.POST("/api/v1/session", { body: { email, password } })),
    onSuccess: async (who) => {
      queries.setQueryData(session.queryKey, who);
      await navigate({ to: "/" });
    },
  });
  return (
    <Entrance title="Sign in to Runyard" button="Sign in" entering={entering}>
      <TextInput
        label="E-mail address"
        type="email"
        autoComplete="username"
        required
        value={email}
        onChange={(event) => setEmail(event.currentTarget.value)}
      />
      <PasswordInput
        label="Password"
        autoComplete="current-password"
        required
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
      />
      <Text size="sm" c="dimmed">
        Lost your password? Whoever runs this host gives you a link by which you set another.
      </Text>
    </Entrance>
  );
}

interface Entering {
  mutate: () => void;
  isPending: boolean;
  error: Error | null;
}

/** The card in which somebody says who they are. */
export function Entrance(props: { title: string; button: string; entering: Entering; children: ReactNode }) {
  const submit = (event: FormEvent) => {
    event.preventDefault();
    props.entering.mutate();
  };
  return (
    <Center component="main" mih="100vh" p="md">
      <Card withBorder w="100%" maw={380} p="lg">
        <form onSubmit={submit}>
          <Stack>
            <Title order={1} size="h3">
              {props.title}
            </Title>
            {props.entering.error && (
              <Alert color="red" role="alert">
                {props.entering.error.message}
              </Alert>
            )}
            {props.children}
            <Button type="submit" loading={props.entering.isPending}>
              {props.button}
            </Button>
          </Stack>
        </form>
      </Card>
    </Center>
  );
}
