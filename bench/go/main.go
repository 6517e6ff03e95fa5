// Echo is a bare grpc-go server, and a bare grpc-go client that loads one.
//
//	echo serve                            prints its address, and serves until its input ends
//	echo load ADDRESS CALLERS WARM SECONDS prints how many calls a second were answered
//
// The message has the bytes of its one field as its first, as the Rust side's has.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const method = "/bench.Echo/Echo"

// size is how many bytes a call carries each way.
const size = 64

func main() {
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		serve()
		return
	}
	if len(os.Args) == 6 && os.Args[1] == "load" {
		load(os.Args[2], number(os.Args[3]), seconds(os.Args[4]), seconds(os.Args[5]))
		return
	}
	log.Fatal("usage: echo serve | echo load ADDRESS CALLERS WARM SECONDS")
}

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Echo",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Echo", Handler: echo}},
	}, struct{}{})
	fmt.Println(listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal(server.Serve(listener))
}

func echo(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	message := new(wrapperspb.BytesValue)
	if err := decode(message); err != nil {
		return nil, err
	}
	return message, nil
}

func load(address string, callers int, warm, measured time.Duration) {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	var within atomic.Int64
	start := time.Now().Add(warm)
	end := start.Add(measured)
	var all sync.WaitGroup
	for range callers {
		all.Add(1)
		go func() {
			defer all.Done()
			call(connection, start, end, &within)
		}()
	}
	all.Wait()
	fmt.Println(float64(within.Load()) / measured.Seconds())
}

// call makes one call after another until none may begin any more.
func call(connection *grpc.ClientConn, start, end time.Time, within *atomic.Int64) {
	sent := &wrapperspb.BytesValue{Value: make([]byte, size)}
	for time.Now().Before(end) {
		answer := new(wrapperspb.BytesValue)
		if err := connection.Invoke(context.Background(), method, sent, answer); err != nil {
			log.Fatal(err)
		}
		if len(answer.Value) != size {
			log.Fatal("another size came back")
		}
		if now := time.Now(); now.After(start) && now.Before(end) {
			within.Add(1)
		}
	}
}

func number(text string) int {
	number, err := strconv.Atoi(text)
	if err != nil {
		log.Fatal(err)
	}
	return number
}

func seconds(text string) time.Duration {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		log.Fatal(err)
	}
	return time.Duration(seconds * float64(time.Second))
}
