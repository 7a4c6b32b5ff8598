// Buys twice with one request_id, then more copies than there are, and then without waiting for the decision: `npm start`
import { randomUUID } from "node:crypto";

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { OrderMode, OrderService, OrderStatus } from "./gen/recordshop/order/v1/order_pb.js";

const baseUrl = `http://${process.env.ORDER_ADDR ?? "127.0.0.1:50053"}`;
const orders = createClient(OrderService, createGrpcTransport({ baseUrl, defaultTimeoutMs: 60_000 }));

// John's request for so many copies of We are Reactive.
const buy = (quantity: number, mode = OrderMode.UNSPECIFIED) => ({
  customerId: "0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb",
  requestId: randomUUID(),
  lines: [{ discId: "bcd8a0e9-dc0a-4ae7-a783-458542e2cc39", quantity }],
  mode,
});

// The request_id is made before the first attempt and kept over all of them: so nothing is bought twice.
const request = buy(2);
for (let attempt = 0; attempt < 2; attempt++) {
  const order = await orders.createOrder(request);
  console.log("order", order.id, OrderStatus[order.status]);
}

// A refusal says its reason, and how many copies are left.
try {
  await orders.createOrder(buy(1000));
} catch (error) {
  const refusal = ConnectError.from(error);
  const [info] = refusal.findDetails(ErrorInfoSchema);
  console.log("refused", Code[refusal.code], info?.reason, info?.metadata);
}

// An order that is taken in and not decided yet is followed to its end.
const { id, status } = await orders.createOrder(buy(1, OrderMode.ASYNC));
console.log("order", id, OrderStatus[status]);
for await (const order of orders.watchOrder({ id })) {
  console.log("followed", order.id, OrderStatus[order.status]);
}
