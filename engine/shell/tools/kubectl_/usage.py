"""kubectl's help: the usage line of every verb and sub-command, and one sentence of what it does.

Source: the commands' own `Use` and `Short` (k8s.io/kubectl/pkg/cmd). Flags are listed from the tables that parse them.
"""

# ruff: noqa: E501
from __future__ import annotations

from engine.shell.tools.kubectl_.flags import Flag

TEXT = """
annotate|[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]|Update the annotations on a resource
api-resources||Print the supported API resources on the server
api-versions||Print the supported API versions on the server, in the form of "group/version"
apply|(-f FILENAME | -k DIRECTORY)|Apply a configuration to a resource by file name or stdin
apply edit-last-applied|(RESOURCE/NAME | -f FILENAME)|Edit latest last-applied-configuration annotations of a resource/object
apply set-last-applied|-f FILENAME|Set the last-applied-configuration annotation on a live object to match the contents of a file
apply view-last-applied|(TYPE [NAME | -l label] | TYPE/NAME | -f FILENAME)|View the latest last-applied-configuration annotations of a resource/object
attach|(POD | TYPE/NAME) -c CONTAINER|Attach to a running container
auth||Inspect authorization
auth can-i|VERB [TYPE | TYPE/NAME | NONRESOURCEURL]|Check whether an action is allowed
auth reconcile|-f FILENAME|Reconciles rules for RBAC role, role binding, cluster role, and cluster role binding objects
auth whoami||Experimental: Check self subject attributes
autoscale|(-f FILENAME | TYPE NAME | TYPE/NAME) [--min=MINPODS] --max=MAXPODS [--cpu=CPU] [--memory=MEMORY]|Auto-scale a deployment, replica set, stateful set, or replication controller
certificate|SUBCOMMAND|Modify certificate resources
cluster-info||Display cluster information
completion|SHELL|Output shell completion code for the specified shell (bash, zsh, fish, or powershell)
config|SUBCOMMAND|Modify kubeconfig files
config current-context||Display the current-context
config delete-cluster|NAME|Delete the specified cluster from the kubeconfig
config delete-context|NAME|Delete the specified context from the kubeconfig
config delete-user|NAME|Delete the specified user from the kubeconfig
config get-clusters||Display clusters defined in the kubeconfig
config get-contexts|[(-o|--output=)name)]|Describe one or many contexts
config get-users||Display users defined in the kubeconfig
config rename-context|CONTEXT_NAME NEW_NAME|Rename a context from the kubeconfig file
config set|PROPERTY_NAME PROPERTY_VALUE|Set an individual value in a kubeconfig file
config set-cluster|NAME [--server=server] [--certificate-authority=path/to/certificate/authority] [--insecure-skip-tls-verify=true] [--tls-server-name=example.com]|Set a cluster entry in kubeconfig
config set-context|[NAME | --current] [--cluster=cluster_nickname] [--user=user_nickname] [--namespace=namespace]|Set a context entry in kubeconfig
config set-credentials|NAME [--client-certificate=path/to/certfile] [--client-key=path/to/keyfile] [--token=bearer_token]|Set a user entry in kubeconfig
config unset|PROPERTY_NAME|Unset an individual value in a kubeconfig file
config use-context|CONTEXT_NAME|Set the current-context in a kubeconfig file
config view||Display merged kubeconfig settings or a specified kubeconfig file
cordon|NODE|Mark node as unschedulable
cp|<file-spec-src> <file-spec-dest>|Copy files and directories to and from containers
create|-f FILENAME|Create a resource from a file or from stdin
create clusterrole|NAME --verb=verb --resource=resource.group [--resource-name=resourcename] [--dry-run=server|client|none]|Create a cluster role
create clusterrolebinding|NAME --clusterrole=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]|Create a cluster role binding for a particular cluster role
create configmap|NAME [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none]|Create a config map from a local file, directory or literal value
create cronjob|NAME --image=image --schedule='0/5 * * * ?' -- [COMMAND] [args...]|Create a cron job with the specified name
create deployment|NAME --image=image -- [COMMAND] [args...]|Create a deployment with the specified name
create ingress|NAME --rule=host/path=service:port[,tls[=secret]] |Create an ingress with the specified name
create job|NAME --image=image [--from=cronjob/name] -- [COMMAND] [args...]|Create a job with the specified name
create namespace|NAME [--dry-run=server|client|none]|Create a namespace with the specified name
create poddisruptionbudget|NAME --selector=SELECTOR --min-available=N [--dry-run=server|client|none]|Create a pod disruption budget with the specified name
create priorityclass|NAME --value=VALUE --global-default=BOOL [--dry-run=server|client|none]|Create a priority class with the specified name
create quota|NAME [--hard=key1=value1,key2=value2] [--scopes=Scope1,Scope2] [--dry-run=server|client|none]|Create a quota with the specified name
create role|NAME --verb=verb --resource=resource.group/subresource [--resource-name=resourcename] [--dry-run=server|client|none]|Create a role with single rule
create rolebinding|NAME --clusterrole=NAME|--role=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]|Create a role binding for a particular role or cluster role
create secret|(docker-registry | generic | tls)|Create a secret using a specified subcommand
create secret docker-registry|NAME --docker-username=user --docker-password=password --docker-email=email [--docker-server=string] [--from-file=[key=]source] [--dry-run=server|client|none]|Create a secret for use with a Docker registry
create secret generic|NAME [--type=string] [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none]|Create a secret from a local file, directory, or literal value
create secret tls|NAME --cert=path/to/cert/file --key=path/to/key/file [--dry-run=server|client|none]|Create a TLS secret
create service||Create a service using a specified subcommand
create service clusterip|NAME [--tcp=<port>:<targetPort>] [--dry-run=server|client|none]|Create a ClusterIP service
create service externalname|NAME --external-name external.name [--dry-run=server|client|none]|Create an ExternalName service
create service loadbalancer|NAME [--tcp=port:targetPort] [--dry-run=server|client|none]|Create a LoadBalancer service
create service nodeport|NAME [--tcp=port:targetPort] [--dry-run=server|client|none]|Create a NodePort service
create serviceaccount|NAME [--dry-run=server|client|none]|Create a service account with the specified name
create token|SERVICE_ACCOUNT_NAME|Request a service account token
debug|(POD | TYPE[[.VERSION].GROUP]/NAME) [ -- COMMAND [args...] ]|Create debugging sessions for troubleshooting workloads and nodes
delete|([-f FILENAME] | [-k DIRECTORY] | TYPE [(NAME | -l label | --all)])|Delete resources by file names, stdin, resources and names, or by resources and label selector
describe|(-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME)|Show details of a specific resource or group of resources
diff|-f FILENAME|Diff the live version against a would-be applied version
drain|NODE|Drain node in preparation for maintenance
edit|(RESOURCE/NAME | -f FILENAME)|Edit a resource on the server
events|[(-o|--output=)json|yaml|name|...] [--for TYPE/NAME] [--watch] [--types=Normal,Warning]|List events
exec|(POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...]|Execute a command in a container
explain|TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group] [-o|--output=plaintext|plaintext-openapiv2]|Get documentation for a resource
expose|(-f FILENAME | TYPE NAME) [--port=port] [--protocol=TCP|UDP|SCTP] [--target-port=number-or-name] [--name=name] [--external-ip=external-ip-of-service] [--type=type]|Take a replication controller, service, deployment or pod and expose it as a new Kubernetes service
get|[(-o|--output=)json|yaml|name|wide|jsonpath|custom-columns|...] (TYPE[.VERSION][.GROUP] [NAME | -l label] | TYPE[.VERSION][.GROUP]/NAME ...) [flags]|Display one or many resources
kustomize|DIR|Build a kustomization target from a directory or URL
label|[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]|Update the labels on a resource
logs|[-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]|Print the logs for a container in a pod
options||Print the list of flags inherited by all commands
patch|(-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE]|Update fields of a resource
plugin|[flags]|Provides utilities for interacting with plugins
port-forward|TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]|Forward one or more local ports to a pod
proxy|[--port=PORT] [--www=static-dir] [--www-prefix=prefix] [--api-prefix=prefix]|Run a proxy to the Kubernetes API server
replace|-f FILENAME|Replace a resource by file name or stdin
rollout|SUBCOMMAND|Manage the rollout of a resource
rollout history|(TYPE NAME | TYPE/NAME) [flags]|View rollout history
rollout pause|RESOURCE|Mark the provided resource as paused
rollout restart|RESOURCE|Restart a resource
rollout resume|RESOURCE|Resume a paused resource
rollout status|(TYPE NAME | TYPE/NAME) [flags]|Show the status of the rollout
rollout undo|(TYPE NAME | TYPE/NAME) [flags]|Undo a previous rollout
run|NAME --image=image [--env="key=value"] [--port=port] [--dry-run=server|client] [--overrides=inline-json] [--command] -- [COMMAND] [args...]|Run a particular image on the cluster
scale|[--resource-version=version] [--current-replicas=count] --replicas=COUNT (-f FILENAME | TYPE NAME)|Set a new size for a deployment, replica set, or replication controller
set|SUBCOMMAND|Set specific features on objects
set env|RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N|Update environment variables on a pod template
set image|(-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... CONTAINER_NAME_N=CONTAINER_IMAGE_N|Update the image of a pod template
set resources|(-f FILENAME | TYPE NAME)  ([--limits=LIMITS & --requests=REQUESTS]|Update resource requests/limits on objects with pod templates
set selector|(-f FILENAME | TYPE NAME) EXPRESSIONS [--resource-version=version]|Set the selector on a resource
set serviceaccount|(-f FILENAME | TYPE NAME) SERVICE_ACCOUNT|Update the service account of a resource
set subject|(-f FILENAME | TYPE NAME) [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]|Update the user, group, or service account in a role binding or cluster role binding
taint|NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ... KEY_N=VAL_N:TAINT_EFFECT_N|Update the taints on one or more nodes
top||Display resource (CPU/memory) usage
top node|[NAME | -l label]|Display resource (CPU/memory) usage of nodes
top pod|[NAME | -l label]|Display resource (CPU/memory) usage of pods
uncordon|NODE|Mark node as schedulable
version||Print the client and server version information
wait|([-f FILENAME] | resource.group/resource.name | resource.group [(-l label | --all)]) [--for=create|--for=delete|--for condition=available|--for=jsonpath='{}'[=value]]|Wait for a specific condition on one or many resources
"""
GROUPS = (
    ("Basic Commands (Beginner)", "create expose run set"),
    ("Basic Commands (Intermediate)", "explain get edit delete"),
    ("Deploy Commands", "rollout scale autoscale"),
    ("Cluster Management Commands", "certificate cluster-info top cordon uncordon drain taint"),
    ("Troubleshooting and Debugging Commands",
     "describe logs attach exec port-forward proxy cp auth debug events"),
    ("Advanced Commands", "diff apply patch replace wait kustomize"),
    ("Settings Commands", "label annotate completion"),
    ("Other Commands", "api-resources api-versions config plugin version"),
)  # fmt: skip
ALIASES = {"create service": "service, svc"}
GLOBAL = 'Use "kubectl options" for a list of global command-line options (applies to all commands).\n'
HEAD = (
    "kubectl controls the Kubernetes cluster manager.\n\n Find more information at: "
    "https://kubernetes.io/docs/reference/kubectl/\n\n"
)


def table() -> dict[str, tuple[str, str]]:
    """Verb -> (usage behind it, what it does)."""
    out = {}
    for row in TEXT.strip().split("\n"):
        verb, rest = row.split("|", 1)
        use, short = rest.rsplit("|", 1)
        out[verb] = (use, short)
    return out


def overview() -> str:
    """`kubectl` alone."""
    rows, text = table(), HEAD
    for title, verbs in GROUPS:
        text += f"{title}:\n" + "".join(f"  {v:<16}{rows[v][1]}\n" for v in verbs.split()) + "\n"
    more = 'Use "kubectl <command> --help" for more information about a given command.\n'
    return f"{text}Usage:\n  kubectl [flags] [options]\n\n{more}{GLOBAL}"


#: What stands at the top of a group's help when it is more than its line in the list.
LONG = {
    "set": """\
Configure application resources.

 These commands help you make changes to existing application resources.""",
    "create secret": """\
Create a secret with specified type.

 A docker-registry type secret is for accessing a container registry.

 A generic type secret indicate an Opaque secret type.

 A tls type secret holds TLS certificate and its associated key.""",
}


def group_help(verb: str) -> str:
    """A verb that has sub-commands, alone."""
    rows = table()
    found = [v for v in rows if v.startswith(verb + " ") and v.count(" ") == verb.count(" ") + 1]
    width = max(11, *(len(v.rsplit(" ", 1)[1]) for v in found)) + 3
    listed = "".join(f"  {v.rsplit(' ', 1)[1]:<{width}}{rows[v][1]}\n" for v in found)
    use = rows[verb][0] or "[flags]"
    more = f'Use "kubectl {verb} <command> --help" for more information about a given command.\n'
    other = f"Aliases:\n{ALIASES[verb]}\n\n" if verb in ALIASES else ""
    return f"{LONG.get(verb, rows[verb][1] + '.')}\n\n{other}Available Commands:\n{listed}\nUsage:\n  kubectl {verb} {use} [options]\n\n{more}{GLOBAL}"


def help_text(verb: str, flags: tuple[Flag, ...]) -> str:
    """`kubectl VERB --help`."""
    use, short = table().get(verb, ("", ""))
    shown = sorted({f.name: f for f in flags}.values(), key=lambda f: f.name)
    lines = [
        f"    {f'-{f.short}, ' if f.short else ''}--{f.name}{'' if f.value else '=false'}\n" for f in shown
    ]
    options = f"Options:\n{''.join(lines)}\n" if lines else ""
    words = " ".join(x for x in ("kubectl", verb, use.rstrip(), "[options]") if x)
    return f"{short}.\n\n{options}Usage:\n  {words}\n\n{GLOBAL}"
