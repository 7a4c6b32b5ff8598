// Buys twice with one request_id, then more copies than there are, and then without waiting for the decision: `go run .`
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	orderv1 "recordshop/clients/go/recordshop/order/v1"
)

func main() {
	address := cmp.Or(os.Getenv("ORDER_ADDR"), "127.0.0.1:50053")
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	orders := orderv1.NewOrderServiceClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	// The request_id is made before the first attempt and kept over all of them: so nothing is bought twice.
	request := buy(2)
	for range 2 {
		order, err := orders.CreateOrder(ctx, request)
		check(err)
		fmt.Println("order", order.Id, order.Status)
	}

	// A refusal says its reason, and how many copies are left.
	_, err = orders.CreateOrder(ctx, buy(1_000))
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			fmt.Println("refused", status.Code(err), info.Reason, info.Metadata)
		}
	}

	// An order that is taken in and not decided yet is followed to its end.
	request = buy(1)
	request.Mode = orderv1.OrderMode_ORDER_MODE_ASYNC
	order, err := orders.CreateOrder(ctx, request)
	check(err)
	fmt.Println("order", order.Id, order.Status)
	changes, err := orders.WatchOrder(ctx, &orderv1.WatchOrderRequest{Id: order.Id})
	check(err)
	for order, err = changes.Recv(); err != io.EOF; order, err = changes.Recv() {
		check(err)
		fmt.Println("followed", order.Id, order.Status)
	}
}

// buy makes John's request for so many copies of We are Reactive.
func buy(quantity int32) *orderv1.CreateOrderRequest {
	lines := []*orderv1.OrderLineRequest{{DiscId: "bcd8a0e9-dc0a-4ae7-a783-458542e2cc39", Quantity: quantity}}
	return &orderv1.CreateOrderRequest{CustomerId: "0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb", RequestId: rand.Text(), Lines: lines}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
