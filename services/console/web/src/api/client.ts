// The API as the page asks it: paths and shapes are those of openapi.json, from which schema.ts is made in each build.
import createClient from "openapi-fetch";
import { QueryClient, queryOptions } from "@tanstack/react-query";
import type { components, paths } from "./schema";

export type Session = components["schemas"]["Session"];
export type Service = components["schemas"]["Service"];
export type ServiceDetail = components["schemas"]["ServiceDetail"];
export type Panel = components["schemas"]["Panel"];
export type Statement = components["schemas"]["Statement"];

export const api = createClient<paths>({ baseUrl: window.location.origin, credentials: "same-origin" });

/** What the API said no with: its status, and its own words. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
}

/** Give the data of an answer; Refused for a problem. */
export async function told<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (response.ok) return data as T;
  const detail = (error as { detail?: string } | undefined)?.detail;
  throw new Refused(response.status, detail ?? `the console answered ${response.status}`);
}

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What the API refuses it refuses again; what does not answer may a moment later.
      retry: (count, error) => !(error instanceof Refused && error.status < 500) && count < 2,
    },
  },
});

// What runs changes by itself: asked again while the page is seen.
const LIVE_MS = 3000;

export const session = queryOptions({
  queryKey: ["session"],
  queryFn: () => told(api.GET("/api/v1/session")),
  staleTime: 60_000,
});

export const services = (tenant: string) =>
  queryOptions({
    queryKey: ["services", tenant],
    queryFn: () => told(api.GET("/api/v1/tenants/{tenant}/services", { params: { path: { tenant } } })),
    refetchInterval: LIVE_MS,
  });

export const service = (tenant: string, name: string) =>
  queryOptions({
    queryKey: ["service", tenant, name],
    queryFn: () =>
      told(
        api.GET("/api/v1/tenants/{tenant}/services/{service}", { params: { path: { tenant, service: name } } }),
      ),
    refetchInterval: LIVE_MS,
  });

// As often as there is something new.
const SCRAPED_MS = 15_000;

export const panels = (tenant: string, name: string) =>
  queryOptions({
    queryKey: ["panels", tenant, name],
    queryFn: () =>
      told(
        api.GET("/api/v1/tenants/{tenant}/services/{service}/panels", {
          params: { path: { tenant, service: name } },
        }),
      ),
    refetchInterval: SCRAPED_MS,
  });

export const statement = (tenant: string, month: string) =>
  queryOptions({
    queryKey: ["statement", tenant, month],
    queryFn: () =>
      told(api.GET("/api/v1/tenants/{tenant}/statements/{month}", { params: { path: { tenant, month } } })),
  });

export const audit = (tenant: string, before: number | null) =>
  queryOptions({
    queryKey: ["audit", tenant, before],
    queryFn: () =>
      told(
        api.GET("/api/v1/tenants/{tenant}/audit", { params: { path: { tenant }, query: { before, limit: 50 } } }),
      ),
  });
