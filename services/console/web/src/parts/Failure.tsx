// What a page shows instead of what it could not get, and while it gets it.
import { Alert, Skeleton, Stack, Title } from "@mantine/core";
import type { ReactNode } from "react";

export function Failure({ error }: { error: unknown }) {
  return (
    <Alert color="red" title="That did not work" role="alert" m="md">
      {error instanceof Error ? error.message : String(error)}
    </Alert>
  );
}

/** Be the page where there is no other. */
export function FailedPage({ error }: { error: unknown }) {
  return (
    <main>
      <Title order={1} size="h3" m="md">
        Runyard
      </Title>
      <Failure error={error} />
    </main>
  );
}

/** Show data when it is there, an error when it is not, and a sketch of it meanwhile. */
export function Loaded<T>({ of, children }: { of: { data?: T; error: Error | null }; children: (data: T) => ReactNode }) {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.error) return <Failure error={of.error} />;
  return (
    <Stack aria-busy="true">
      <Skeleton height={36} />
      <Skeleton height={120} />
    </Stack>
  );
}
