// Buys two copies, twice with one request_id, and then asks for more copies than there are: `go run .`
package main

import (
	"context"
	"crypto/rand"
	"errors"
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

const (
	john     = "0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb"
	reactive = "bcd8a0e9-dc0a-4ae7-a783-458542e2cc39"
)

func main() {
	address := os.Getenv("ORDER_ADDR")
	if address == "" {
		address = "127.0.0.1:50053"
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	orders := orderv1.NewOrderServiceClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()

	// Made before the first attempt and kept over all retries: so nothing is bought twice.
	request := buy(rand.Text(), 2)
	for range 2 {
		order, err := place(ctx, orders, request)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("order", order.Id, order.Status)
	}
	if _, err := place(ctx, orders, buy(rand.Text(), 1_000)); err != nil {
		fmt.Println("refused", status.Code(err), infoOf(err).GetReason(), infoOf(err).GetMetadata())
	}
}

// place answers an order that is decided: one that was taken in, and is not, is followed to its end.
func place(ctx context.Context, orders orderv1.OrderServiceClient, request *orderv1.CreateOrderRequest) (*orderv1.Order, error) {
	order, err := orders.CreateOrder(ctx, request)
	if info := infoOf(err); info.GetReason() == "ORDER_PENDING" {
		fmt.Println("pending", info.Metadata["order_id"])
		return follow(ctx, orders, info.Metadata["order_id"])
	}
	return order, err
}

// follow answers an order when it is final.
func follow(ctx context.Context, orders orderv1.OrderServiceClient, id string) (*orderv1.Order, error) {
	stream, err := orders.WatchOrder(ctx, &orderv1.WatchOrderRequest{Id: id})
	if err != nil {
		return nil, err
	}
	var last *orderv1.Order
	for {
		order, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return nil, err
		}
		fmt.Println("followed", order.Id, order.Status)
		last = order
	}
}

func buy(requestID string, quantity int32) *orderv1.CreateOrderRequest {
	lines := []*orderv1.OrderLineRequest{{DiscId: reactive, Quantity: quantity}}
	return &orderv1.CreateOrderRequest{CustomerId: john, RequestId: requestID, Lines: lines}
}

// infoOf answers what a service of the shop said about an error: its reason, and ids and figures. Nil if it is no such error.
func infoOf(err error) *errdetails.ErrorInfo {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.Domain == "recordshop" {
			return info
		}
	}
	return nil
}
