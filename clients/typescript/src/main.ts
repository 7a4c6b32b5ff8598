// Buys two copies, twice with one request_id, and then asks for more copies than there are: `npm start`
import { randomUUID } from "node:crypto";

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { type Order, OrderService, OrderStatus } from "./gen/recordshop/order/v1/order_pb.js";

const JOHN = "0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb";
const REACTIVE = "bcd8a0e9-dc0a-4ae7-a783-458542e2cc39";

const address = process.env.ORDER_ADDR ?? "127.0.0.1:50053";
const transport = createGrpcTransport({ baseUrl: `http://${address}`, defaultTimeoutMs: 60_000 });
const orders = createClient(OrderService, transport);

// Answers an order that is decided: one that was taken in, and is not, is followed to its end.
async function place(requestId: string, quantity: number): Promise<Order> {
  try {
    const lines = [{ discId: REACTIVE, quantity }];
    return await orders.createOrder({ customerId: JOHN, requestId, lines });
  } catch (error) {
    const info = infoOf(error);
    if (info?.reason !== "ORDER_PENDING") throw error;
    console.log("pending", info.metadata.order_id);
    return await follow(info.metadata.order_id);
  }
}

// Answers an order when it is final.
async function follow(id: string): Promise<Order> {
  let last: Order | undefined;
  for await (const order of orders.watchOrder({ id })) {
    console.log("followed", order.id, OrderStatus[order.status]);
    last = order;
  }
  return last!;
}

// Answers what a service of the shop said about an error: its reason, and ids and figures. Undefined if it is no such error.
function infoOf(error: unknown) {
  return ConnectError.from(error)
    .findDetails(ErrorInfoSchema)
    .find((info) => info.domain === "recordshop");
}

// Made before the first attempt and kept over all retries: so nothing is bought twice.
const requestId = randomUUID();
for (let attempt = 0; attempt < 2; attempt++) {
  const order = await place(requestId, 2);
  console.log("order", order.id, OrderStatus[order.status]);
}
try {
  await place(randomUUID(), 1000);
} catch (error) {
  console.log("refused", Code[ConnectError.from(error).code], infoOf(error)?.reason, infoOf(error)?.metadata);
}
