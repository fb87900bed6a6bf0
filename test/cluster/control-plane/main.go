// A Kubernetes control plane in one program, for tests: which part it is, the first argument says. Everything is upstream's
// own code; here is only what chooses. The parts of Kubernetes take their own flags.
//
//	control-plane etcd DIRECTORY CLIENT-URL PEER-URL
//	control-plane kube-apiserver | kube-controller-manager | kube-proxy | kubectl FLAGS...
//	control-plane forward TARGET
package main

import (
	"fmt"
	"log"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
)

var commands = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-proxy":              proxy.NewProxyCommand,
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("usage: control-plane etcd|kube-apiserver|kube-controller-manager|kube-proxy|kubectl|forward ...")
	}
	part := os.Args[1]
	// cobra and kubectl read the arguments themselves.
	os.Args = append([]string{part}, os.Args[2:]...)
	switch part {
	case "etcd":
		if len(os.Args) != 4 {
			log.Fatal("usage: control-plane etcd DIRECTORY CLIENT-URL PEER-URL")
		}
		if err := etcd(os.Args[1], os.Args[2], os.Args[3]); err != nil {
			log.Fatal(err)
		}
	case "forward":
		if len(os.Args) != 2 {
			log.Fatal("usage: control-plane forward TARGET")
		}
		forward(os.Args[1])
	default:
		command, found := commands[part]
		if !found {
			log.Fatalf("there is no part %q", part)
		}
		os.Exit(cli.Run(command()))
	}
}

// etcd runs until SIGTERM. What it stores need not survive the machine: it never waits for the disk.
func etcd(directory, client, peer string) error {
	clientURL, err := url.Parse(client)
	if err != nil {
		return err
	}
	peerURL, err := url.Parse(peer)
	if err != nil {
		return err
	}
	config := embed.NewConfig()
	config.Dir = directory
	config.LogLevel = "warn"
	config.UnsafeNoFsync = true
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*clientURL}, []url.URL{*clientURL}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peerURL}, []url.URL{*peerURL}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()
	<-server.Server.ReadyNotify()
	fmt.Println("ready")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-stop:
		return nil
	case err := <-server.Err():
		return err
	}
}
