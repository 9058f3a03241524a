package bridge

import "testing"

func TestTokenIsSpelledAsTheSDKSpellsIt(t *testing.T) {
	for name, want := range map[string]string{
		"Container":   "docker:index/container:Container",
		"RemoteImage": "docker:index/remoteImage:RemoteImage",
		"getNetwork":  "docker:index/getNetwork:getNetwork",
	} {
		if got := token(name); got != want {
			t.Errorf("token(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestContainerIsDeletedBeforeItIsReplaced(t *testing.T) {
	if !Info().Resources["docker_container"].DeleteBeforeReplace {
		t.Error("two containers cannot hold one name")
	}
}
