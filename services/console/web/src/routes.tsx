// Routes of the page, and that nobody sees a tenant's without being signed in.
import { createRootRoute, createRoute, createRouter, Outlet, redirect } from "@tanstack/react-router";
import { queries, Refused, session } from "./api/client";
import { Audit } from "./pages/Audit";
import { Register, Reset } from "./pages/ByLink";
import { Invoices } from "./pages/Invoices";
import { Overview } from "./pages/Overview";
import { ServicePage } from "./pages/ServicePage";
import { SignIn } from "./pages/SignIn";
import { FailedPage } from "./parts/Failure";
import { Shell } from "./parts/Shell";

const root = createRootRoute({ component: Outlet, errorComponent: ({ error }) => <FailedPage error={error} /> });

/** Give who is signed in; whoever is not is led to the sign-in. */
async function signedIn() {
  try {
    return await queries.fetchQuery(session);
  } catch (error) {
    if (error instanceof Refused && error.status === 401) throw redirect({ to: "/sign-in" });
    throw error;
  }
}

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: async () => {
    const [first] = (await signedIn()).tenants;
    if (first) throw redirect({ to: "/tenants/$tenant", params: { tenant: first.tenant } });
  },
  component: () => <FailedPage error={new Error("you are a member of no tenant: ask for an invitation")} />,
});
const signIn = createRoute({ getParentRoute: () => root, path: "/sign-in", component: SignIn });
const register = createRoute({ getParentRoute: () => root, path: "/register", component: Register });
const reset = createRoute({ getParentRoute: () => root, path: "/reset", component: Reset });
const tenant = createRoute({
  getParentRoute: () => root,
  path: "/tenants/$tenant",
  beforeLoad: async () => ({ who: await signedIn() }),
  component: Shell,
});
const overview = createRoute({ getParentRoute: () => tenant, path: "/", component: Overview });
const service = createRoute({ getParentRoute: () => tenant, path: "/services/$service", component: ServicePage });
const invoices = createRoute({ getParentRoute: () => tenant, path: "/invoices", component: Invoices });
const audit = createRoute({ getParentRoute: () => tenant, path: "/audit", component: Audit });

export const router = createRouter({
  routeTree: root.addChildren([
    home,
    signIn,
    register,
    reset,
    tenant.addChildren([overview, service, invoices, audit]),
  ]),
  defaultNotFoundComponent: () => <FailedPage error={new Error("there is no such page")} />,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
