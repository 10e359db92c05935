// Walks a checkout as a partner's program would: every request and every answer is typed by the API document.
import createClient from "openapi-fetch";
import { randomUUID } from "node:crypto";

import type { components, paths } from "./build/gateway.js";

type Problem = components["schemas"]["ProblemBody"];
type Subscription = components["schemas"]["Subscription"];

const { GATEWAY_URL: baseUrl, GATEWAY_TOKEN: token } = process.env;
if (baseUrl === undefined || token === undefined) {
  throw new Error("GATEWAY_URL and GATEWAY_TOKEN must be set");
}
const gateway = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });

/** The data of an answer, or an exception that names the problem. */
function answered<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.data === undefined) {
    throw new Error(`${answer.error?.code}: ${answer.error?.detail} (${answer.error?.request_id})`);
  }
  return answer.data;
}

/** Names one intention to pay, for every attempt at it. */
const intention = () => ({ "Idempotency-Key": randomUUID() });

const customer = `typed-${randomUUID()}`;

const offers = answered(await gateway.GET("/v1/price-points", { params: { query: { currency: "USD", limit: 10 } } }));
const yearly = offers.data.find((offer) => offer.next_period_duration === "years");
if (yearly === undefined) {
  throw new Error("nothing to buy");
}

const session = answered(
  await gateway.POST("/v1/checkout/sessions", {
    body: {
      price_point: yearly.ident,
      external_id: customer,
      email_address: "typed@example.com",
      integration_type: "fakeintegration",
      client_metadata: { campaign: "typed", steps: [1, 2] },
    },
  }),
);

const payment = answered(
  await gateway.POST("/v1/checkout/payments", {
    params: { header: intention() },
    body: { order_id: session.order_id, payment_method_token: `pmt_3ds-${customer}` },
  }),
);
if (payment.state !== "action_required" || payment.order_id === null) {
  throw new Error(`the bank should ask the customer, but the payment is ${payment.state}`);
}

const resumed = answered(
  await gateway.POST("/v1/checkout/payments/{order_id}/resume", {
    params: { path: { order_id: payment.order_id }, header: intention() },
    body: { resume_token: "rt_ok" },
  }),
);

const owned: Subscription[] = answered(
  await gateway.GET("/v1/subscriptions", { params: { query: { external_id: customer } } }),
).data;
const [subscription] = owned;
if (subscription === undefined || subscription.price_point?.ident !== yearly.ident) {
  throw new Error("the customer does not own what was bought");
}

const paused = answered(
  await gateway.POST("/v1/subscriptions/{subscription_id}/pause", {
    params: { path: { subscription_id: subscription.id } },
    body: { pause_till: null, reason: "holiday" },
  }),
);

const declined = await gateway.POST("/v1/checkout/one-click", {
  params: { header: intention() },
  body: { external_id: customer, price_point: "no-such-price-point" },
});
if (declined.error === undefined) {
  throw new Error("nobody can buy what there is not");
}

console.log(
  JSON.stringify({
    bought: yearly.ident,
    resumed: resumed.state,
    status: paused.status,
    declined: [declined.error.status, declined.error.code],
  }),
);
