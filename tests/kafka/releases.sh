# Sourced by `cluster`: what differs from one release of Kafka to another, and ZooKeeper, which those before 3.3 need.

# The release whose tools serve all others: 4.4.0 stands in the registry without them, and older ones name and print
# things differently. They reach brokers from 2.1 on.
tools_version=4.3.1

has_kraft() { [[ $version =~ ^(3\.([3-9]|[1-9][0-9])|[4-9]|[1-9][0-9])(\.|$) ]]; }

choose_version() { # VERSION: where it and the tools lie
  version=$1 home=$all_homes/$1 tools_home=$all_homes/$tools_version
}

pom() {
  local scala=2.13
  [[ $version != 0.* && $version != 1.* && $version != 2.[0-3].* ]] || scala=2.12
  cat <<E
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>klamm.tests</groupId><artifactId>kafka</artifactId><version>0</version><packaging>pom</packaging>
  <dependencyManagement><dependencies>
    <!-- 4.4.0 stands in the registry without this one, an interface -->
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools-api</artifactId><version>$tools_version</version></dependency>
    <!-- ZooKeeper's client of before 3.5.8 cannot connect on Java 14 and later -->
    <dependency><groupId>org.apache.zookeeper</groupId><artifactId>zookeeper</artifactId><version>3.5.10</version></dependency>
  </dependencies></dependencyManagement>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_$scala</artifactId><version>$version</version>
      <exclusions> <!-- every release logs by what stands below -->
        <exclusion><groupId>log4j</groupId><artifactId>log4j</artifactId></exclusion>
        <exclusion><groupId>ch.qos.reload4j</groupId><artifactId>reload4j</artifactId></exclusion>
        <exclusion><groupId>org.slf4j</groupId><artifactId>slf4j-log4j12</artifactId></exclusion>
        <exclusion><groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId></exclusion>
      </exclusions>
    </dependency>
$(more_dependencies)
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.3</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>2.25.3</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-1.2-api</artifactId><version>2.25.3</version></dependency>
  </dependencies>
</project>
E
}

more_dependencies() {
  case $version in
    "$tools_version") cat <<E
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version>
      <exclusions> <!-- Kafka Connect with its web server: half of the jars, and nothing here uses it -->
        <exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId></exclusion>
      </exclusions>
    </dependency>
E
      ;;
    0.*) # takes javax.xml.bind from a Java that still had it
      echo "    <dependency><groupId>javax.xml.bind</groupId><artifactId>jaxb-api</artifactId><version>2.3.1</version></dependency>";;
  esac
}

# What Java 17 has to be told for the sake of code that is older than it.
old_code_jvm() {
  local p
  [[ $version = [012].* ]] || return 0
  for p in lang nio util; do printf ' --add-opens=java.base/java.%s=ALL-UNNAMED' $p; done
  printf ' --add-opens=java.base/sun.nio.ch=ALL-UNNAMED'
}

role_properties() { # of broker $1, which listens on port $2: how the brokers of a cluster find each other
  local voters='' i
  if ! has_kraft; then
    printf '%s\n' "broker.id=$1" "listeners=PLAINTEXT://127.0.0.1:$2$(sasl_listener "$2")$(tls_listeners "$2")" "zookeeper.connect=127.0.0.1:$(zookeeper_port)" \
      zookeeper.session.timeout.ms=6000
    return
  fi
  for ((i = 1; i <= brokers; i++)); do voters+=",$i@127.0.0.1:$(($(port "$i") + 9))"; done
  cat <<E
process.roles=broker,controller
node.id=$1
controller.quorum.voters=${voters:1}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$2$(sasl_listener "$2")$(tls_listeners "$2"),CONTROLLER://127.0.0.1:$(($2 + 9))
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=6000
share.coordinator.state.topic.replication.factor=$brokers
share.coordinator.state.topic.min.isr=$((brokers < 3 ? 1 : 2))
share.coordinator.state.topic.num.partitions=5
E
}

# --set lines in the names of this release: a broker's session, and what is granted, are ZooKeeper's where there is one.
settings() {
  local lines=("$@")
  if ! has_kraft; then
    lines=("${lines[@]/#broker.session.timeout.ms/zookeeper.session.timeout.ms}")
    lines=("${lines[@]/%org.apache.kafka.metadata.authorizer.StandardAuthorizer/kafka.security.authorizer.AclAuthorizer}")
  fi
  printf '%s\n' "${lines[@]}"
}

zookeeper_port() { echo $(($(port 1) + 9)); } # where a broker with KRaft has its controller

start_zookeeper() {
  local n="$dir/node-zookeeper" deadline=$((SECONDS + 60))
  mkdir -p "$n/tmp"
  # Sessions are counted in ticks, two at the least. `dump` names those that are open.
  printf '%s\n' "dataDir=$n/data" "clientPort=$(zookeeper_port)" clientPortAddress=127.0.0.1 maxClientCnxns=0 tickTime=500 \
    admin.enableServer=false 4lw.commands.whitelist=dump >"$n/server.properties"
  launch zookeeper org.apache.zookeeper.server.quorum.QuorumPeerMain
  until listening "$(zookeeper_port)"; do
    [ $SECONDS -lt $deadline ] || { tail -25 "$n/server.log" >&2; die "ZooKeeper was not ready after 60 s"; }
    sleep 0.1
  done
}

# A broker that was killed is still registered, until its session is over; before that it would refuse to start again.
wait_forgotten() { # ID
  local deadline=$((SECONDS + 60)) sessions
  has_kraft || while true; do
    exec 3<>"/dev/tcp/127.0.0.1/$(zookeeper_port)"
    printf dump >&3
    sessions=$(timeout 5 cat <&3) || true
    exec 3>&-
    case $sessions in
      */brokers/ids/"$1"[!0-9]* | */brokers/ids/"$1") ;;
      *Sess*) break;;
    esac
    [ $SECONDS -lt $deadline ] || die "ZooKeeper still knows broker $1 after 60 s"
    sleep 0.2
  done
}
